//! `accept()` on kernels without `__inet_accept` (5.10). A thread that was blocked inside when we
//! attached returns unseen; `security_sock_graft` sees what it took.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::{accept, memory::Typed};

#[fexit]
fn inet_csk_accept_leave(ctx: FExitContext) -> i32 {
    let child: *const u8 = ctx.arg(4);
    if !child.is_null() {
        accept::accepted::<Typed>(ctx.arg(0), child);
    }
    0
}
