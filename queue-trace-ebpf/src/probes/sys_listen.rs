//! The system call `listen()`, before the kernel clamps what was asked for.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::word;
use crate::listen;

#[fentry]
fn sys_listen_enter(ctx: FEntryContext) -> i32 {
    listen::asks(ctx.arg(1));
    0
}

#[kprobe]
fn kprobe___sys_listen(ctx: ProbeContext) -> u32 {
    listen::asks(word(&ctx, 1) as u32);
    0
}
