//! A child enters the accept queue: of a cookie, of Fast Open and, on 5.10, of an ordinary handshake.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{cookie, memory::Typed};

#[fentry]
fn queue_add_enter(ctx: FEntryContext) -> i32 {
    cookie::queue_adding::<Typed>(ctx.arg(0), ctx.arg(2));
    0
}

#[fexit]
fn queue_add_leave(ctx: FExitContext) -> i32 {
    cookie::queue_added(ctx.arg(2), ctx.arg(3));
    0
}
