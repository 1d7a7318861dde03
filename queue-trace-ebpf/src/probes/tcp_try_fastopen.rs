//! Fast Open: a child straight from the SYN, or nothing.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{fastopen, memory::Typed};

#[fentry]
fn tcp_try_fastopen_enter(ctx: FEntryContext) -> i32 {
    fastopen::begins::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(3));
    0
}

#[fexit]
fn tcp_try_fastopen_leave(ctx: FExitContext) -> i32 {
    fastopen::ends::<Typed>(ctx.arg(0), ctx.arg(5));
    0
}
