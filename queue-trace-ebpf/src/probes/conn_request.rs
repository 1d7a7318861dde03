//! The dispatch of a SYN by address family: closes the SYN's pass, and refuses broadcast and multicast
//! destinations.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::word;
use crate::memory::{Memory, Probed, Typed};
use crate::{maps, pass, syn};

/// This one is also what the others go on with.
#[fexit]
#[inline(always)]
fn tcp_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fexit]
fn tcp_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    go_on::<Typed>(&ctx, ctx.arg(1), true, false);
    0
}

/// The same for MPTCP listeners.
#[fexit]
fn subflow_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    go_on::<Typed>(&ctx, ctx.arg(1), false, true);
    0
}

#[fexit]
fn subflow_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    go_on::<Typed>(&ctx, ctx.arg(1), true, true);
    0
}

/// Goes on with the program of the return of `tcp_v4_conn_request`, the largest of all, so that the kernel verifies it once
/// and not for each family: for 44 instructions a SYN (6.12).
#[inline(always)]
fn go_on<M: Memory>(ctx: &impl EbpfContext, skb: *const u8, v6: bool, mptcp: bool) {
    if syn::leaves_dispatch::<M>(skb, v6, mptcp) {
        // SAFETY: nothing here has to be dropped, and all of these functions have the same signature.
        unsafe { maps::ENDS_OF_SYNS.tail_call(ctx, 0) };
    }
}

#[kprobe]
fn kprobe_tcp_v4_conn_request(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.v4 = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

/// This one is also what the others go on with.
#[kretprobe]
#[inline(always)]
fn kretprobe_tcp_v4_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let [sk, skb] = pass.kept.v4;
    syn::leave_dispatch::<Probed>(sk as *const u8, skb as *const u8);
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
fn kretprobe_tcp_v6_conn_request(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    // What was kept for IPv4 has served: if it came to that, it was within this.
    pass.kept.v4 = pass.kept.v6;
    go_on::<Probed>(&ctx, pass.kept.v6[1] as *const u8, true, false);
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
fn kretprobe_subflow_v4_conn_request(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    go_on::<Probed>(&ctx, pass.kept.v4[1] as *const u8, false, true);
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
fn kretprobe_subflow_v6_conn_request(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    pass.kept.v4 = pass.kept.v6;
    go_on::<Probed>(&ctx, pass.kept.v6[1] as *const u8, true, true);
    0
}
