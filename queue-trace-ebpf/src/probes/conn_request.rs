//! The dispatch of a SYN by address family: closes the SYN's pass, and refuses broadcast and multicast
//! destinations.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::word;
use crate::memory::{Probed, Typed};
use crate::{pass, syn};

#[fexit]
#[inline(always)]
fn tcp_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), false, false);
    0
}

#[fexit]
#[inline(always)]
fn tcp_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), true, false);
    0
}

/// The same for MPTCP listeners.
#[fexit]
#[inline(always)]
fn subflow_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), false, true);
    0
}

#[fexit]
#[inline(always)]
fn subflow_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), true, true);
    0
}

#[kprobe]
fn kprobe_tcp_v4_conn_request(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.v4 = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

#[kretprobe]
fn kretprobe_tcp_v4_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    dispatched(pass.kept.v4, false);
    0
}

#[kprobe]
fn kprobe_tcp_v6_conn_request(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.v6 = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

#[kretprobe]
fn kretprobe_tcp_v6_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    dispatched(pass.kept.v6, true);
    0
}

#[kprobe]
fn kprobe_subflow_v4_conn_request(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.v4 = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

#[kretprobe]
fn kretprobe_subflow_v4_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    dispatched(pass.kept.v4, false);
    0
}

#[kprobe]
fn kprobe_subflow_v6_conn_request(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.v6 = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

#[kretprobe]
fn kretprobe_subflow_v6_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    dispatched(pass.kept.v6, true);
    0
}

#[inline(always)]
fn dispatched([sk, skb]: [u64; 2], v6: bool) {
    syn::leave_dispatch::<Probed>(sk as *const u8, skb as *const u8, v6, true);
}
