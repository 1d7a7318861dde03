//! A SYN-ACK is built; its kind tells a cookie from a queued request.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::word;
use crate::pass::{self, seen};

/// `TCP_SYNACK_COOKIE` of `enum tcp_synack_type`.
const COOKIE: u32 = 2;

#[fentry]
fn tcp_make_synack_enter(ctx: FEntryContext) -> i32 {
    if ctx.arg::<u32>(4) == COOKIE {
        pass::note(seen::COOKIE_SYNACK);
    }
    0
}

#[kprobe]
fn kprobe_tcp_make_synack(ctx: ProbeContext) -> u32 {
    if word(&ctx, 4) as u32 == COOKIE {
        pass::note(seen::COOKIE_SYNACK);
    }
    0
}
