//! The system calls `accept()` and `accept4()`, for their errors: a process without a free descriptor
//! fails before any function of TCP is reached.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::accept_error;

#[fexit]
fn sys_accept_leave(ctx: FExitContext) -> i32 {
    accept_error::returned(ctx.arg(0), ctx.arg(4));
    0
}
