//! Fast Open is tried; what comes of it shows when the SYN's pass ends.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::fastopen;
use crate::memory::{Probed, Typed};

#[fentry]
fn tcp_try_fastopen_enter(ctx: FEntryContext) -> i32 {
    fastopen::begins::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(3));
    0
}

#[kprobe]
fn kprobe_tcp_try_fastopen(ctx: ProbeContext) -> u32 {
    fastopen::begins::<Probed>(pointer(&ctx, 0), pointer(&ctx, 1), pointer(&ctx, 3));
    0
}
