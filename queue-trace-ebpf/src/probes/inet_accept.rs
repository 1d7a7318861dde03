//! `accept()` has taken a child. `__inet_accept` (from 6.1 on) runs after the wait, so that threads
//! that were blocked when we attached are seen too; a hook on the return of `inet_csk_accept` misses those.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::accept;
use crate::memory::{Probed, Typed};

#[fentry]
fn inet_accept_enter(ctx: FEntryContext) -> i32 {
    let (sk, child) = (accept::sock_of(ctx.arg(0)), ctx.arg(2));
    if accept::is_mptcp(sk) {
        accept::accepted::<Probed>(accept::subflow(sk), accept::subflow(child));
    } else {
        accept::accepted::<Typed>(sk, child);
    }
    0
}
