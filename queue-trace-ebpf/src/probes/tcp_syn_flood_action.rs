//! What the kernel does about a full SYN queue: drop, or a cookie. A function of its own from 6.12 on.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::pass::{self, seen};

#[fexit]
fn tcp_syn_flood_action_leave(ctx: FExitContext) -> i32 {
    // Only the low byte of a bool is defined.
    pass::note(if ctx.arg::<u8>(2) == 0 { seen::FLOOD_DROP } else { seen::COOKIE_CHOSEN });
    0
}
