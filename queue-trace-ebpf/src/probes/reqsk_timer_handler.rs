//! The timer of a half-open request.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::pointer;
use crate::half_open;

#[fentry]
fn reqsk_timer_handler_enter(ctx: FEntryContext) -> i32 {
    half_open::timer_fires(ctx.arg(0));
    0
}

#[fexit]
fn reqsk_timer_handler_leave(_ctx: FExitContext) -> i32 {
    half_open::timer_done();
    0
}

#[kprobe]
fn kprobe_reqsk_timer_handler(ctx: ProbeContext) -> u32 {
    half_open::timer_fires(pointer(&ctx, 0));
    0
}

#[kretprobe]
fn kretprobe_reqsk_timer_handler(_ctx: RetProbeContext) -> u32 {
    half_open::timer_done();
    0
}
