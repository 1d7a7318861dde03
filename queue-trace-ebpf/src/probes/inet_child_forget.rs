//! A child that was never accepted is dropped: its listener closes.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::accept;
use crate::memory::{Probed, Typed};

#[fentry]
fn inet_child_forget_enter(ctx: FEntryContext) -> i32 {
    accept::forgotten::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[kprobe]
fn kprobe_inet_child_forget(ctx: ProbeContext) -> u32 {
    accept::forgotten::<Probed>(pointer(&ctx, 0), pointer(&ctx, 1), pointer(&ctx, 2));
    0
}
