//! A child gets its `struct socket`, after the wait of `accept()`.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::graft;
use crate::memory::{Probed, Typed};

#[fentry]
fn security_sock_graft_enter(ctx: FEntryContext) -> i32 {
    graft::accepted::<Typed>(ctx.arg(0));
    0
}

#[kprobe]
fn kprobe_security_sock_graft(ctx: ProbeContext) -> u32 {
    graft::accepted::<Probed>(pointer(&ctx, 0));
    0
}
