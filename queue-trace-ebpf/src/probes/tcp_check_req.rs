//! A segment for a half-open request: opens and closes its pass. Six arguments from 7.x on.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::{pointer, truth, word};
use crate::ack;
use crate::memory::{Probed, Typed};
use crate::pass::{self, Kind};

#[fentry]
fn tcp_check_req_enter(ctx: FEntryContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        ack::enter::<Typed>(ctx.arg(0), ctx.arg(2));
    }
    0
}

#[fexit]
#[inline(always)]
fn tcp_check_req_leave_5(ctx: FExitContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        let stolen = || ctx.arg(4);
        ack::leave::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2), stolen, ctx.arg(5));
    }
    0
}

#[fexit]
#[inline(always)]
fn tcp_check_req_leave_6(ctx: FExitContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        let stolen = || ctx.arg(4);
        ack::leave::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2), stolen, ctx.arg(6));
    }
    0
}

/// Whether the call is for a Fast Open child. Only the low byte of a bool is defined.
#[inline(always)]
fn fastopen(argument: u8) -> bool {
    argument != 0
}

#[kprobe]
fn kprobe_tcp_check_req(ctx: ProbeContext) -> u32 {
    if !truth(&ctx, 3) {
        let (sk, request) = (pointer(&ctx, 0), pointer(&ctx, 2));
        if let Some(pass) = pass::current() {
            (pass.kept.sk, pass.kept.skb) = (sk as u64, word(&ctx, 1));
            pass.kept.request = request as u64;
        }
        ack::enter::<Probed>(sk, request);
    }
    0
}

/// The return of a call for a Fast Open child finds no pass to close.
#[kretprobe]
fn kretprobe_tcp_check_req(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::within(Kind::Ack) else { return 0 };
    let (sk, skb) = (pass.kept.sk as *const u8, pass.kept.skb as *const u8);
    ack::leave::<Probed>(sk, skb, pass.kept.request as *const u8, core::ptr::null, ctx.ret());
    0
}
