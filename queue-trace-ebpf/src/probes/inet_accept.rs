//! `accept()` has taken a child. `__inet_accept` (from 6.1 on) runs after the wait, so that threads
//! that were blocked when we attached are seen too; a hook on the return of `inet_csk_accept` misses those.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::accept;
use crate::config::offset;
use crate::memory::{Memory, Probed, Typed};

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

/// Only where `security_sock_graft` is not a function of this kernel.
#[kprobe]
fn kprobe___inet_accept(ctx: ProbeContext) -> u32 {
    // SAFETY: the first argument is a `struct socket`.
    let sk: u64 = unsafe { Probed::read(pointer(&ctx, 0), offset!(socket_sk)) };
    let child = pointer(&ctx, 2);
    accept::accepted::<Probed>(accept::subflow(sk as *const u8), accept::subflow(child));
    0
}
