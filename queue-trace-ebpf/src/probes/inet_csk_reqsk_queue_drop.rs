//! A half-open request is unlinked: the static function that all callers end in.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::{pointer, word};
use crate::memory::{Probed, Typed};
use crate::{half_open, pass};

#[fentry]
fn queue_drop_enter(ctx: FEntryContext) -> i32 {
    // Only the low byte of a bool is defined.
    let by_timer: u8 = ctx.arg(2);
    half_open::dropping::<Typed>(ctx.arg(1), by_timer != 0);
    0
}

#[fexit]
fn queue_drop_leave(ctx: FExitContext) -> i32 {
    let unlinked: u8 = ctx.arg(3);
    half_open::dropped::<Typed>(ctx.arg(0), unlinked != 0);
    0
}

#[kprobe]
fn kprobe___inet_csk_reqsk_queue_drop(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.dropping = word(&ctx, 0);
    }
    half_open::dropping::<Probed>(pointer(&ctx, 1), word(&ctx, 2) & 0xff != 0);
    0
}

#[kretprobe]
fn kretprobe___inet_csk_reqsk_queue_drop(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let unlinked: u8 = ctx.ret();
    half_open::dropped::<Probed>(pass.kept.dropping as *const u8, unlinked != 0);
    0
}
