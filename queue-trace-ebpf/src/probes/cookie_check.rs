//! A segment that no request explains may carry a SYN cookie. The judgement has three arguments up to
//! 6.1 and two later.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::pointer;
use crate::memory::{Probed, Typed};
use crate::{cookie, pass};

#[fentry]
fn cookie_v4_check_enter(ctx: FEntryContext) -> i32 {
    cookie::enter::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fexit]
fn cookie_v4_check_leave(ctx: FExitContext) -> i32 {
    cookie::leave::<Typed>(ctx.arg(0), ctx.arg(2));
    0
}

#[fentry]
fn cookie_v6_check_enter(ctx: FEntryContext) -> i32 {
    cookie::enter::<Typed>(ctx.arg(0), ctx.arg(1));
    0
}

#[fexit]
fn cookie_v6_check_leave(ctx: FExitContext) -> i32 {
    cookie::leave::<Typed>(ctx.arg(0), ctx.arg(2));
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

#[kprobe]
fn kprobe_cookie_v4_check(ctx: ProbeContext) -> u32 {
    let (sk, skb) = (pointer(&ctx, 0), pointer(&ctx, 1));
    if let Some(pass) = pass::current() {
        pass.kept.sk = sk as u64;
    }
    cookie::enter::<Probed>(sk, skb);
    0
}

#[kretprobe]
fn kretprobe_cookie_v4_check(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    cookie::leave::<Probed>(pass.kept.sk as *const u8, ctx.ret());
    0
}

#[kretprobe]
fn kretprobe___cookie_v4_check(ctx: RetProbeContext) -> u32 {
    cookie::judged(ctx.ret());
    0
}

#[kprobe]
fn kprobe_cookie_v6_check(ctx: ProbeContext) -> u32 {
    let (sk, skb) = (pointer(&ctx, 0), pointer(&ctx, 1));
    if let Some(pass) = pass::current() {
        pass.kept.sk = sk as u64;
    }
    cookie::enter::<Probed>(sk, skb);
    0
}

#[kretprobe]
fn kretprobe_cookie_v6_check(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    cookie::leave::<Probed>(pass.kept.sk as *const u8, ctx.ret());
    0
}

#[kretprobe]
fn kretprobe___cookie_v6_check(ctx: RetProbeContext) -> u32 {
    cookie::judged(ctx.ret());
    0
}
