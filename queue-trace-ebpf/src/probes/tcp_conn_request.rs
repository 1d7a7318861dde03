//! A SYN that passed the dispatch: opens its pass, and closes it where the dispatch is not hooked.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::{pointer, word};
use crate::memory::{Probed, Typed};
use crate::pass::{self, Kind};
use crate::syn;

#[fentry]
fn tcp_conn_request_enter(ctx: FEntryContext) -> i32 {
    syn::enter::<Typed>(ctx.arg(2), ctx.arg(3));
    0
}

#[fexit]
fn tcp_conn_request_leave(ctx: FExitContext) -> i32 {
    syn::leave::<Typed>(ctx.arg(2), ctx.arg(3));
    0
}

#[kprobe]
fn kprobe_tcp_conn_request(ctx: ProbeContext) -> u32 {
    let sk = pointer(&ctx, 2);
    if let Some(pass) = pass::current() {
        (pass.kept.sk, pass.kept.skb) = (sk as u64, word(&ctx, 3));
    }
    syn::enter::<Probed>(sk, pointer(&ctx, 3));
    0
}

#[kretprobe]
fn kretprobe_tcp_conn_request(_ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::within(Kind::Syn) else { return 0 };
    syn::leave::<Probed>(pass.kept.sk as *const u8, pass.kept.skb as *const u8);
    0
}
