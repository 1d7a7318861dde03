//! A closed listener's requests and connections go over to another member of its group (from 5.14).

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use super::word;
use crate::memory::{Probed, Typed};
use crate::{migrate, pass};

#[fexit]
fn reuseport_migrate_sock_leave(ctx: FExitContext) -> i32 {
    migrate::sought::<Typed>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

#[fexit]
fn inet_reqsk_clone_leave(ctx: FExitContext) -> i32 {
    migrate::cloned::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[fexit]
fn inet_ehash_insert_leave(ctx: FExitContext) -> i32 {
    // Only the low byte of a bool is defined.
    migrate::inserted(ctx.arg(3));
    0
}

#[kprobe]
fn kprobe_reuseport_migrate_sock(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.sought = [word(&ctx, 0), word(&ctx, 2)];
    }
    0
}

#[kretprobe]
fn kretprobe_reuseport_migrate_sock(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let [sk, segment] = pass.kept.sought;
    migrate::sought::<Probed>(sk as *const u8, segment, ctx.ret());
    0
}

#[kprobe]
fn kprobe_inet_reqsk_clone(ctx: ProbeContext) -> u32 {
    if let Some(pass) = pass::current() {
        pass.kept.cloned = [word(&ctx, 0), word(&ctx, 1)];
    }
    0
}

#[kretprobe]
fn kretprobe_inet_reqsk_clone(ctx: RetProbeContext) -> u32 {
    let Some(pass) = pass::current() else { return 0 };
    let [request, to] = pass.kept.cloned;
    migrate::cloned::<Probed>(request as *const u8, to as *const u8, ctx.ret());
    0
}

#[kretprobe]
fn kretprobe_inet_ehash_insert(ctx: RetProbeContext) -> u32 {
    migrate::inserted(ctx.ret());
    0
}
