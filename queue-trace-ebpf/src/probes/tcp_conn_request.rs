//! A SYN that passed the dispatch: opens and closes its pass.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{memory::Typed, syn};

#[fentry]
fn tcp_conn_request_enter(ctx: FEntryContext) -> i32 {
    syn::enter::<Typed>(ctx.arg(2));
    0
}

#[fexit]
fn tcp_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave::<Typed>(ctx.arg(2), ctx.arg(3));
    0
}
