//! What the kernel does about a full SYN queue: drop, or a cookie. A function of its own from 6.12 on.

use aya_ebpf::macros::{fexit, kretprobe};
use aya_ebpf::programs::{FExitContext, RetProbeContext};

use crate::pass::{self, seen};

#[fexit]
fn tcp_syn_flood_action_leave(ctx: FExitContext) -> i32 {
    decided(ctx.arg(2));
    0
}

#[kretprobe]
fn kretprobe_tcp_syn_flood_action(ctx: RetProbeContext) -> u32 {
    decided(ctx.ret());
    0
}

/// Only the low byte of a bool is defined.
#[inline(always)]
fn decided(cookie: u8) {
    pass::note(if cookie == 0 { seen::FLOOD_DROP } else { seen::COOKIE_CHOSEN });
}
