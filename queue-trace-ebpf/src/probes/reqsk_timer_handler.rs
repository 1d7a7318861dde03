//! The timer of a half-open request.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

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
