//! `listen()`: `inet_listen` up to 6.1, `__inet_listen_sk` where MPTCP and io_uring pass by too.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::{accept, listen, memory::Typed};

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
