//! `accept()` on kernels without `__inet_accept` (5.10). A thread that was blocked inside when we
//! attached returns unseen; what it took is found by its system call.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::graft;
use crate::memory::Typed;

#[fexit]
fn inet_csk_accept_leave(ctx: FExitContext) -> i32 {
    graft::taken::<Typed>(ctx.arg(0), ctx.arg(4));
    0
}
