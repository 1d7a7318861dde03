//! A child enters the accept queue: of Fast Open, which is what matters here; of a cookie; of a listener that
//! closed; and, on 5.10, of an ordinary handshake.

use aya_ebpf::macros::{fexit, kretprobe};
use aya_ebpf::programs::{FExitContext, RetProbeContext};

use crate::fastopen;

#[fexit]
fn queue_add_leave(ctx: FExitContext) -> i32 {
    fastopen::queue_added(ctx.arg(3));
    0
}

#[kretprobe]
fn kretprobe_inet_csk_reqsk_queue_add(ctx: RetProbeContext) -> u32 {
    fastopen::queue_added(ctx.ret());
    0
}
