//! A child enters the accept queue: of a cookie, of Fast Open, of a listener that closed and, on 5.10, of
//! an ordinary handshake.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use super::pointer;
use crate::memory::{Probed, Typed};
use crate::{cookie, pass};

#[fentry]
fn queue_add_enter(ctx: FEntryContext) -> i32 {
    cookie::queue_adding::<Typed>(ctx.arg(0), ctx.arg(2));
    0
}

#[fexit]
fn queue_add_leave(ctx: FExitContext) -> i32 {
    cookie::queue_added::<Typed>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

#[kprobe]
fn kprobe_inet_csk_reqsk_queue_add(ctx: ProbeContext) -> u32 {
    let (sk, child) = (pointer(&ctx, 0), pointer(&ctx, 2));
    if let Some(pass) = pass::current() {
        pass.kept.adding = [sk as u64, child as u64];
    }
    cookie::queue_adding::<Probed>(sk, child);
    0
}

#[kretprobe]
fn kretprobe_inet_csk_reqsk_queue_add(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let [sk, child] = pass.kept.adding.map(|kept| kept as *const u8);
    cookie::queue_added::<Probed>(sk, child, ctx.ret());
    0
}
