//! TCP Fast Open: an attempt within a SYN's pass.
//!
//! An attempt that fails leaves an ordinary SYN behind, and yet raises counters; only this CPU's slot of
//! them tells which (kernel.md section 5.3). Where they are cheap to read, all of it is told when the pass ends; else
//! `tcp_try_fastopen` is hooked, and SYNs without the option and without data cost nothing here.

use queue_trace_common::group;

use crate::config::{config, has, member};
use crate::memory::Memory;
use crate::mib::{Fastopen, Refusals};
use crate::pass::{self, Kind, Pass, seen};
use crate::{ledger, packet};

/// `tcp_try_fastopen` begins; `cookie` is the option that the SYN carries.
#[inline(always)]
pub fn begins<M: Memory>(sk: *const u8, skb: *const u8, cookie: *const u8) {
    if !has!(fastopen_length) || !has!(fastopen_counters) {
        return;
    }
    // SAFETY: `cookie` is a `struct tcp_fastopen_cookie`.
    let option: i8 = unsafe { member!(M, cookie, fastopen_length) };
    // The SYN itself counts one in sequence space. Nearly every SYN ends here.
    if option < 0 && packet::length::<M>(skb) <= 1 {
        return;
    }
    if let Some(pass) = pass::within(Kind::Syn) {
        pass.seen |= seen::FASTOPEN_ATTEMPT;
        ledger::identify::<M>(pass, sk);
        let slots = pass.ledgers.current().slots();
        pass.fastopen = (Fastopen::read(slots), Refusals::read(slots));
    }
}

/// The SYN's pass ends.
#[inline(always)]
pub fn ends(pass: &mut Pass) {
    if config!(syn_groups) & group::FASTOPEN != 0 {
        if pass.saw(seen::HASHED | seen::HASH_RACE | seen::FASTOPEN_CHILD) {
            tried(pass);
        }
    } else if pass.saw(seen::FASTOPEN_ATTEMPT) {
        attempted(pass);
    }
}

/// The kernel got past `tcp_try_fastopen`. Nothing but an attempt that fails counts a refusal on the way from there to
/// the hash, and each of those counts a failure, too.
#[inline(always)]
fn tried(pass: &mut Pass) {
    let ledger = pass.ledgers.current();
    let now = Fastopen::read(ledger.slots());
    // One after the other, in registers; nearly every SYN ends here.
    if now.failures == ledger.fastopen.failures
        && now.queue_overflows == ledger.fastopen.queue_overflows
        && now.cookie_requests == ledger.fastopen.cookie_requests
    {
        return;
    }
    let before = core::mem::replace(&mut ledger.fastopen, now);
    told(pass, &before, &now);
    if now.failures != before.failures {
        let refused = pass.ledgers.current().refused();
        failed(pass, refused.dropped, refused.overflow);
    }
}

/// What an attempt raised has not been raised since by anything else, unless it made a child.
#[inline(always)]
fn attempted(pass: &mut Pass) {
    let ledger = pass.ledgers.current();
    ledger.forget_refusals();
    let slots = ledger.slots();
    let (before, refusals) = pass.fastopen;
    told(pass, &before, &Fastopen::read(slots));
    if !pass.saw(seen::FASTOPEN_CHILD) {
        let now = Refusals::read(slots);
        failed(pass, now.drops != refusals.drops, now.overflows != refusals.overflows);
    }
}

/// What the kernel says of an attempt.
#[inline(always)]
fn told(pass: &mut Pass, before: &Fastopen, now: &Fastopen) {
    if now.cookie_requests != before.cookie_requests {
        pass.seen |= seen::FASTOPEN_COOKIE_REQUESTED;
    }
    if now.queue_overflows != before.queue_overflows {
        pass.seen |= seen::FASTOPEN_QUEUE_FULL;
    }
}

/// An attempt made no child; whether it counted refusals.
#[inline(always)]
fn failed(pass: &mut Pass, dropped: bool, overflow: bool) {
    if dropped {
        pass.seen |= seen::FASTOPEN_FALLBACK;
    }
    if overflow {
        pass.seen |= seen::FASTOPEN_FALLBACK_OVERFLOW;
    }
}

/// `inet_csk_reqsk_queue_add` returns the child, or nothing when the listener is closing. Within a SYN's pass it
/// is called for the child of Fast Open only.
#[inline(always)]
pub fn queue_added(returned: u64) {
    let queued = if returned == 0 { seen::QUEUE_CLOSED } else { 0 };
    pass::note(seen::FASTOPEN_CHILD | queued);
}
