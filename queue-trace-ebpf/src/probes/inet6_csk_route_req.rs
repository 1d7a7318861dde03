//! The route of an IPv6 child; without one there is no child though the queue has room.

use aya_ebpf::macros::{fexit, kretprobe};
use aya_ebpf::programs::{FExitContext, RetProbeContext};

use crate::pass::{self, seen};

#[fexit]
fn inet6_csk_route_req_leave_4(ctx: FExitContext) -> i32 {
    routed(ctx.arg(4));
    0
}

#[fexit]
fn inet6_csk_route_req_leave_5(ctx: FExitContext) -> i32 {
    routed(ctx.arg(5));
    0
}

#[inline(always)]
fn routed(route: u64) {
    if route == 0 {
        pass::note(seen::NO_ROUTE);
    }
}

#[kretprobe]
fn kretprobe_inet6_csk_route_req(ctx: RetProbeContext) -> u32 {
    routed(ctx.ret());
    0
}
