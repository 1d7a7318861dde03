//! `accept()` has taken a child. `__inet_accept` (from 6.1 on) runs after the wait, so that threads
//! that were blocked when we attached are seen too; a hook on the return of `inet_csk_accept` misses those.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::config::{member, offset};
use crate::graft;
use crate::memory::{Memory, Probed, Typed};

#[fentry]
fn inet_accept_enter(ctx: FEntryContext) -> i32 {
    let socket: *const u8 = ctx.arg(0);
    // SAFETY: a typed argument.
    let sk: u64 = unsafe { member!(Typed, socket, socket_sk) };
    graft::taken::<Typed>(sk as *const u8, ctx.arg(2));
    0
}

/// Only where `security_sock_graft` is not a function of this kernel.
#[kprobe]
fn kprobe___inet_accept(ctx: ProbeContext) -> u32 {
    // SAFETY: the first argument is a `struct socket`.
    let sk: u64 = unsafe { Probed::read(pointer(&ctx, 0), offset!(socket_sk)) };
    graft::taken::<Probed>(sk as *const u8, pointer(&ctx, 2));
    0
}
