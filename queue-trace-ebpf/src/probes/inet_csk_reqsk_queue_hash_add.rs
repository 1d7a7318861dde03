//! The request enters the hash of half-open requests. Three signatures: nothing returned up to 6.0,
//! then bool after three arguments, then (7.x) bool after two.

use aya_ebpf::macros::{fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FExitContext, ProbeContext, RetProbeContext};

use crate::config::config;
use crate::maps;
use crate::memory::Typed;
use crate::pass::{self, Kind, Pass, seen};
use crate::syn;

#[fexit]
fn hash_add_leave_void(ctx: FExitContext) -> i32 {
    note(seen::HASHED);
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
    note(if result == 0 { seen::HASH_RACE } else { seen::HASHED });
}

#[inline(always)]
fn note(evidence: u32) {
    let Some(pass) = pass::current() else { return };
    pass.seen |= evidence;
    if config!(ledgers) != 0 && pass.kind == Kind::None as u32 && counts(pass) {
        // DCCP: it has the same hash of half-open requests.
        maps::share();
    }
}

/// Whether this CPU has opened a pass since counting began: else this may be in one that began before.
#[inline(always)]
fn counts(pass: &Pass) -> bool {
    maps::counting().is_some_and(|now| now.armed() == pass.now.armed())
}

/// Only where nothing is returned; then it cannot fail.
#[kprobe]
fn kprobe_inet_csk_reqsk_queue_hash_add(_ctx: ProbeContext) -> u32 {
    note(seen::HASHED);
    0
}

#[kretprobe]
fn kretprobe_inet_csk_reqsk_queue_hash_add(ctx: RetProbeContext) -> u32 {
    added(ctx.ret());
    0
}
