//! A half-open request is unlinked: the static function that all callers end in.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::{truth, word};
use crate::memory::{Probed, Typed};
use crate::{half_open, pass};

#[fexit]
fn queue_drop_leave(ctx: FExitContext) -> i32 {
    // Only the low byte of a bool is defined.
    let (by_timer, unlinked): (u8, u8) = (ctx.arg(2), ctx.arg(3));
    half_open::dropped::<Typed>(ctx.arg(0), ctx.arg(1), by_timer != 0, unlinked != 0);
    0
}

#[kprobe]
fn kprobe___inet_csk_reqsk_queue_drop(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.dropping = [word(&ctx, 0), word(&ctx, 1), u64::from(truth(&ctx, 2))];
    }
    0
}

#[kretprobe]
fn kretprobe___inet_csk_reqsk_queue_drop(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let [sk, request, by_timer] = pass.kept.dropping;
    let (sk, request) = (sk as *const u8, request as *const u8);
    let unlinked: u8 = ctx.ret();
    half_open::dropped::<Probed>(sk, request, by_timer != 0, unlinked != 0);
    0
}
