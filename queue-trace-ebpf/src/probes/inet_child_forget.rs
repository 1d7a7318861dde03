//! A child that was never accepted is dropped: its listener closes.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{accept, memory::Typed};

#[fentry]
fn inet_child_forget_enter(ctx: FEntryContext) -> i32 {
    accept::forgotten::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}
