//! `listen()`: `inet_listen` up to 6.1, `__inet_listen_sk` where MPTCP and io_uring pass by too.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::pointer;
use crate::config::offset;
use crate::memory::{Memory, Probed, Typed};
use crate::{accept, listen};

#[fexit]
fn inet_listen_leave(ctx: FExitContext) -> i32 {
    if ctx.arg::<i32>(2) == 0 {
        listen::listened::<Typed>(accept::sock_of(ctx.arg(0)));
    }
    0
}

#[fexit]
fn inet_listen_sk_leave(ctx: FExitContext) -> i32 {
    if ctx.arg::<i32>(2) == 0 {
        listen::listened::<Typed>(ctx.arg(0));
    }
    0
}

#[kprobe]
fn kprobe_inet_listen(ctx: ProbeContext) -> u32 {
    // SAFETY: the argument is a `struct socket`.
    let sk: u64 = unsafe { Probed::read(pointer(&ctx, 0), offset!(socket_sk)) };
    listen::listening(sk as *const u8);
    0
}

#[kretprobe]
fn kretprobe_inet_listen(ctx: RetProbeContext) -> u32 {
    listen::returned(ctx.ret());
    0
}

#[kprobe]
fn kprobe___inet_listen_sk(ctx: ProbeContext) -> u32 {
    listen::listening(pointer(&ctx, 0));
    0
}

#[kretprobe]
fn kretprobe___inet_listen_sk(ctx: RetProbeContext) -> u32 {
    listen::returned(ctx.ret());
    0
}
