//! A segment that no request explains may carry a SYN cookie. The judgement has three arguments up to
//! 6.1 and two later.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use crate::{cookie, memory::Typed};

#[fentry]
fn cookie_v4_check_enter(ctx: FEntryContext) -> i32 {
    cookie::enter::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fexit]
fn cookie_v4_check_leave(ctx: FExitContext) -> i32 {
    cookie::leave::<Typed>(ctx.arg(0));
    0
}

#[fentry]
fn cookie_v6_check_enter(ctx: FEntryContext) -> i32 {
    cookie::enter::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fexit]
fn cookie_v6_check_leave(ctx: FExitContext) -> i32 {
    cookie::leave::<Typed>(ctx.arg(0));
    0
}

#[fexit]
fn cookie_v4_judged_2(ctx: FExitContext) -> i32 {
    cookie::judged(ctx.arg(2));
    0
}

#[fexit]
fn cookie_v4_judged_3(ctx: FExitContext) -> i32 {
    cookie::judged(ctx.arg(3));
    0
}

#[fexit]
fn cookie_v6_judged_2(ctx: FExitContext) -> i32 {
    cookie::judged(ctx.arg(2));
    0
}

#[fexit]
fn cookie_v6_judged_3(ctx: FExitContext) -> i32 {
    cookie::judged(ctx.arg(3));
    0
}
