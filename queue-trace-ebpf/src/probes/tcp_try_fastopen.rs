//! Fast Open: a child straight from the SYN, or nothing.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::pointer;
use crate::fastopen;
use crate::memory::{Probed, Typed};
use crate::pass::{self, Kind};

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

#[kprobe]
fn kprobe_tcp_try_fastopen(ctx: ProbeContext) -> u32 {
    fastopen::begins::<Probed>(pointer(&ctx, 0), pointer(&ctx, 1), pointer(&ctx, 3));
    0
}

#[kretprobe]
fn kretprobe_tcp_try_fastopen(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::within(Kind::Syn) else { return 0 };
    fastopen::ends::<Probed>(pass.kept.sk as *const u8, ctx.ret());
    0
}
