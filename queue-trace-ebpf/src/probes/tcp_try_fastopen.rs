//! Fast Open: a child straight from the SYN, or nothing.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::pass::{self, seen};

#[fexit]
fn tcp_try_fastopen_leave(ctx: FExitContext) -> i32 {
    let child: u64 = ctx.arg(5);
    if child != 0 {
        pass::note(seen::FASTOPEN_CHILD);
    }
    0
}
