//! The system call `listen()`, before the kernel clamps what was asked for.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::listen;

#[fentry]
fn sys_listen_enter(ctx: FEntryContext) -> i32 {
    listen::asks(ctx.arg(1));
    0
}
