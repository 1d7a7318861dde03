//! A segment for a half-open request: opens and closes its pass. Six arguments from 7.x on.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{ack, memory::Typed};

#[fentry]
fn tcp_check_req_enter(ctx: FEntryContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        ack::enter::<Typed>(ctx.arg(0), ctx.arg(2));
    }
    0
}

#[fexit]
fn tcp_check_req_leave_5(ctx: FExitContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        ack::leave::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(5));
    }
    0
}

#[fexit]
fn tcp_check_req_leave_6(ctx: FExitContext) -> i32 {
    if !fastopen(ctx.arg(3)) {
        ack::leave::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(6));
    }
    0
}

/// Whether the call is for a Fast Open child. Only the low byte of a bool is defined.
#[inline(always)]
fn fastopen(argument: u8) -> bool {
    argument != 0
}
