//! The dispatch of a SYN by address family: where broadcast and multicast destinations are refused.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::{memory::Typed, syn};

#[fexit]
fn tcp_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), false);
    0
}

#[fexit]
fn tcp_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), true);
    0
}

/// The same for MPTCP listeners.
#[fexit]
fn subflow_v4_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), false);
    0
}

#[fexit]
fn subflow_v6_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave_dispatch::<Typed>(ctx.arg(0), ctx.arg(1), true);
    0
}
