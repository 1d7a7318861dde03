//! A listener closes.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{listen, memory::Typed};

#[fentry]
fn listen_stop_enter(ctx: FEntryContext) -> i32 {
    listen::stopping::<Typed>(ctx.arg(0));
    0
}
