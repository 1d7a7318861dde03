//! `accept()` has taken a child. `__inet_accept` (from 6.1 on) runs after the wait, so that threads
//! that were blocked when we attached are seen too; a hook on the return of `inet_csk_accept` misses those.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{accept, memory::Typed};

#[fentry]
fn inet_accept_enter(ctx: FEntryContext) -> i32 {
    accept::accepted::<Typed>(accept::sock_of(ctx.arg(0)), ctx.arg(2));
    0
}
