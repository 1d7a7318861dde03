//! A SYN-ACK is sent again.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::word;
use crate::memory::{Probed, Typed};
use crate::{half_open, pass};

#[fexit]
fn tcp_rtx_synack_leave(ctx: FExitContext) -> i32 {
    half_open::synack_resent::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[kprobe]
fn kprobe_tcp_rtx_synack(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.resending = word(&ctx, 1);
    }
    0
}

#[kretprobe]
fn kretprobe_tcp_rtx_synack(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let request = pass.kept.resending as *const u8;
    half_open::synack_resent::<Probed>(core::ptr::null(), request, ctx.ret());
    0
}
