//! A child gets its `struct socket`, after the wait of `accept()` (5.10).

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{accept, memory::Typed};

#[fentry]
fn security_sock_graft_enter(ctx: FEntryContext) -> i32 {
    accept::grafted::<Typed>(ctx.arg(0));
    0
}
