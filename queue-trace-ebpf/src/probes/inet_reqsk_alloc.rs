//! The request is allocated: the SYN got past both full-queue tests.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::truth;
use crate::pass::{self, seen};

#[fexit]
fn inet_reqsk_alloc_leave(ctx: FExitContext) -> i32 {
    // Without a reference to its listener: the request of a cookie.
    let attached: u8 = ctx.arg(2);
    allocated(attached != 0, ctx.arg(3));
    0
}

#[inline(always)]
fn allocated(attached: bool, request: u64) {
    let mut evidence = seen::ALLOCATED;
    if request == 0 {
        evidence |= seen::NO_MEMORY;
    }
    if !attached {
        evidence |= seen::COOKIE_CHOSEN;
    }
    pass::note(evidence);
}

#[kprobe]
fn kprobe_inet_reqsk_alloc(ctx: ProbeContext) -> u32 {
    allocated(truth(&ctx, 2), 1);
    0
}

#[kretprobe]
fn kretprobe_inet_reqsk_alloc(ctx: RetProbeContext) -> u32 {
    if ctx.ret::<u64>() == 0 {
        pass::note(seen::NO_MEMORY);
    }
    0
}
