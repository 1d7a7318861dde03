//! A half-open request is unlinked: the static function that all callers end in.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{half_open, memory::Typed};

#[fentry]
fn queue_drop_enter(ctx: FEntryContext) -> i32 {
    half_open::dropping::<Typed>(ctx.arg(1));
    0
}

#[fexit]
fn queue_drop_leave(ctx: FExitContext) -> i32 {
    let unlinked: u8 = ctx.arg(3);
    half_open::dropped::<Typed>(ctx.arg(0), unlinked != 0);
    0
}
