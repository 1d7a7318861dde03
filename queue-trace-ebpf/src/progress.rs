//! How far the kernel got with a SYN, by what it counted on the way.
//!
//! Where the counters are known when the pass begins, the hooks on the way are not needed: `inet_reqsk_alloc`, and where
//! they are cheap to read, `inet_csk_reqsk_queue_hash_add` neither.

use queue_trace_common::{Outcome, group};

use crate::config::{config, has, offset};
use crate::ledger::{Ledger, Refused};
use crate::memory::Memory;
use crate::mib::{Fastopen, Refusals, SynQueue};
use crate::pass::{Pass, seen};
use crate::{fastopen, listener};

/// A SYN-ACK tells that the SYN was queued, unless it is that of a cookie or of a child of Fast Open.
#[inline(always)]
pub fn answered(pass: &mut Pass) {
    if pass.saw(seen::FASTOPEN_CHILD) {
        return;
    }
    let mptcp = pass.saw(seen::MPTCP);
    let ledger = pass.ledgers.current();
    let sent = ledger.out_segments() != pass.out_segments;
    if !sent && pass.seen & seen::NO_MEMORY == 0 {
        return;
    }
    if ledger.cookie_sent() {
        // The kernel has counted that it chose one, and we need not look.
        pass.seen |= seen::COOKIE_MADE | seen::COOKIE_CHOSEN | seen::ALLOCATED;
    } else if mptcp && sent && dropped(ledger) {
        pass.seen |= seen::VETOED;
    } else if sent || !dropped(ledger) {
        // It may also be the SYN-ACK that there was no memory for.
        pass.seen |= seen::HASHED;
    }
}

/// What became of a SYN that was not queued.
#[inline(always)]
pub fn outcome<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    if config!(queued_by_mib) != 0 && pass.saw(seen::COOKIE_MADE) {
        return Outcome::SynCookie;
    }
    full_syn_queue(pass);
    let ledger = pass.ledgers.current();
    if pass.seen & seen::COOKIE_CHOSEN != 0 && ledger.cookie_sent() {
        let sent = config!(cookie_can_drop) == 0 || !ledger.refused().dropped;
        return if sent { Outcome::SynCookie } else { Outcome::SynNoRoute };
    }
    let refused = refused(ledger);
    if pass.seen & seen::VETOED != 0 {
        Outcome::SynNoRoute
    } else if refused.overflow {
        Outcome::SynAcceptQueueFull
    } else if pass.saw(seen::FLOOD_DROP) {
        Outcome::SynQueueFull
    } else if pass.saw(seen::NO_MEMORY) {
        Outcome::SynNoMemory
    } else if config!(queued_by_mib) != 0 && !refused.dropped {
        unanswered::<M>(pass, sk)
    } else if !listener::listens::<M>(sk) {
        // One that is being freed gets no request.
        Outcome::SynNoMemory
    } else if pass.saw(seen::NOT_PROVEN) {
        Outcome::SynLastQuarter
    } else {
        Outcome::SynNoRoute
    }
}

/// Neither dropped nor answered.
#[inline(always)]
fn unanswered<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    let authenticates = has!(authentication) && authenticates::<M>(sk);
    // The client may want to be answered with a key that the listener does not have.
    pass.seen |= if authenticates { seen::HASHED } else { seen::HASH_RACE };
    fastopen::ends(pass);
    if authenticates { Outcome::SynQueued } else { Outcome::SynRace }
}

/// How the SYN was refused. What a failed attempt of Fast Open counted is left to `fastopen`.
#[inline(always)]
fn refused(ledger: &mut Ledger) -> Refused {
    if config!(queued_by_mib) != 0 && attempt_failed(ledger) {
        Refused { dropped: false, overflow: false }
    } else {
        ledger.refused()
    }
}

/// Whether the SYN was dropped. What is known of the counters stays as it is.
#[inline(always)]
fn dropped(ledger: &Ledger) -> bool {
    Refusals::read(ledger.slots()).drops != ledger.refusals.drops && !attempt_failed(ledger)
}

/// Whether an attempt of Fast Open failed: it may have counted a drop, and left an ordinary SYN behind, which nothing
/// drops any more.
#[inline(always)]
fn attempt_failed(ledger: &Ledger) -> bool {
    config!(syn_groups) & group::FASTOPEN != 0
        && Fastopen::failures(ledger.slots()) != ledger.fastopen.failures
}

/// Whether the listener has keys of TCP-AO.
#[inline(always)]
fn authenticates<M: Memory>(sk: *const u8) -> bool {
    // SAFETY: `sk` is a TCP socket.
    unsafe { M::read_tcp::<u64>(sk, offset!(authentication)) != 0 }
}

/// Whether the SYN queue was full, and what the kernel did about it.
#[inline(always)]
pub fn full_syn_queue(pass: &mut Pass) {
    let ledger = pass.ledgers.current();
    let now = SynQueue::read(ledger.slots());
    let before = core::mem::replace(&mut ledger.syn_queue, now);
    if now.drops != before.drops {
        pass.seen |= seen::FLOOD_DROP;
    }
    if now.cookies != before.cookies {
        pass.seen |= seen::COOKIE_CHOSEN;
    }
}
