//! A SYN-ACK is sent again.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::{half_open, memory::Typed};

#[fexit]
fn tcp_rtx_synack_leave(ctx: FExitContext) -> i32 {
    half_open::synack_resent::<Typed>(ctx.arg(1), ctx.arg(2));
    0
}
