//! Asked only when the last quarter of `tcp_max_syn_backlog` is reached; false refuses the SYN.

use aya_ebpf::macros::{fexit, kretprobe};
use aya_ebpf::programs::{FExitContext, RetProbeContext};

use crate::pass::{self, seen};

#[fexit]
fn tcp_peer_is_proven_leave(ctx: FExitContext) -> i32 {
    if ctx.arg::<u8>(2) == 0 {
        pass::note(seen::NOT_PROVEN);
    }
    0
}

#[kretprobe]
fn kretprobe_tcp_peer_is_proven(ctx: RetProbeContext) -> u32 {
    if ctx.ret::<u8>() == 0 {
        pass::note(seen::NOT_PROVEN);
    }
    0
}
