//! The request enters the hash of half-open requests. Three signatures: nothing returned up to 6.0,
//! then bool after three arguments, then (7.x) bool after two.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use crate::memory::Typed;
use crate::pass::{self, seen};
use crate::syn;

#[fexit]
fn hash_add_leave_void(ctx: FExitContext) -> i32 {
    pass::note(seen::HASHED);
    syn::queued::<Typed>(ctx.arg(1));
    0
}

#[fexit]
fn hash_add_leave_3(ctx: FExitContext) -> i32 {
    added(ctx.arg(3));
    syn::queued::<Typed>(ctx.arg(1));
    0
}

#[fexit]
fn hash_add_leave_2(ctx: FExitContext) -> i32 {
    added(ctx.arg(2));
    syn::queued::<Typed>(ctx.arg(1));
    0
}

/// Only the low byte of a bool is defined.
#[inline(always)]
fn added(result: u8) {
    pass::note(if result == 0 { seen::HASH_RACE } else { seen::HASHED });
}

/// Only where nothing is returned; then it cannot fail.
#[kprobe]
fn kprobe_inet_csk_reqsk_queue_hash_add(_ctx: ProbeContext) -> u32 {
    pass::note(seen::HASHED);
    0
}

#[kretprobe]
fn kretprobe_inet_csk_reqsk_queue_hash_add(ctx: RetProbeContext) -> u32 {
    added(ctx.ret());
    0
}
