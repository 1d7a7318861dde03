//! What became of a SYN: `tcp_conn_request` from its entry to its end.
//!
//! The outcome follows from how far the kernel got in its own order of checks (kernel.md section 5.2
//! and 6.5), never from repeating its tests beforehand: the queues move meanwhile.

use queue_trace_common::{Outcome, Tally, group};

use crate::config::config;
use crate::gauge::{self, Queue};
use crate::ledger;
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::mib::{Counts, Refusals};
use crate::pass::{self, Kind, Pass, seen};
use crate::{fastopen, listener, maps, packet, progress, report};

/// A SYN reached `tcp_conn_request`.
#[inline(always)]
pub fn enter<M: Memory>(sk: *const u8, skb: *const u8) {
    let Some(pass) = pass::open(Kind::Syn) else {
        reached(skb);
        return;
    };
    let wanted = config!(syn_groups);
    if wanted != 0 || config!(verify) != 0 {
        ledger::begin::<M>(pass, sk, wanted);
    }
    if config!(queued_by_mib) != 0 {
        pass.out_segments = pass.ledgers.current().out_segments();
    }
    if config!(verify) != 0 {
        pass.mib = Counts::read(pass.ledgers.current().slots());
        if !pass.ledgers.current().holds(&pass.mib) {
            maps::contradicted(Outcome::SynQueued);
        }
    }
}

/// `tcp_conn_request` returns, where not all of its callers are hooked.
#[inline(always)]
pub fn leave<M: Memory>(sk: *const u8, skb: *const u8) {
    if let Some(pass) = pass::close(Kind::Syn) {
        reached(skb);
        done::<M>(pass, sk, skb);
    }
}

/// The SYN's half-open request went into the hash. It knows its client, which is dear to read from the packet.
#[inline(always)]
pub fn queued<M: Memory>(request: *const u8) {
    if config!(stream) & (1 << Outcome::SynQueued as u64) != 0
        && let Some(pass) = pass::within(Kind::Syn)
    {
        pass.client = packet::peer::<M>(request);
    }
}

/// Tells the end of the dispatch that this SYN was not refused by it.
#[inline(always)]
fn reached(skb: *const u8) {
    if let Some(pass) = pass::current() {
        pass.last_syn = skb as u64;
    }
}

/// What became of the SYN.
#[inline(always)]
fn done<M: Memory>(pass: &mut Pass, sk: *const u8, skb: *const u8) {
    if config!(queued_by_mib) != 0 {
        progress::answered(pass);
    }
    fastopen::ends(pass);
    if pass.saw(seen::HASHED) {
        // The most frequent by far; a way of its own, on which the compiler knows the outcome.
        return tell::<M>(pass, sk, skb, Outcome::SynQueued);
    }
    let outcome = outcome::<M>(pass, sk);
    if config!(verify) != 0 {
        let now = Counts::read(pass.ledgers.current().slots());
        verify(&now.since(&pass.mib), outcome);
    }
    tell::<M>(pass, sk, skb, outcome);
}

#[inline(always)]
fn tell<M: Memory>(pass: &mut Pass, sk: *const u8, skb: *const u8, outcome: Outcome) {
    let listener = pass.listener::<M>(sk);
    let period = pass.now.period();
    match outcome {
        Outcome::SynQueued => gauge::entered::<M>(listener, period, sk, Queue::Syn),
        Outcome::SynFastopen => gauge::entered::<M>(listener, period, sk, Queue::Accept),
        _ => {}
    }
    tally(pass, listener);
    report::report_within::<M>(pass, listener, sk, outcome, |record, pass| {
        if M::DIRECT && config!(queued_by_mib) == 0 && matches!(outcome, Outcome::SynQueued) {
            // See `queued`.
            report::set_client(record, &pass.client);
        } else {
            report::set_client(record, &packet::client::<M>(skb));
        }
    });
}

#[inline(always)]
fn outcome<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    if pass.saw(seen::HASH_RACE) {
        Outcome::SynRace
    } else if pass.saw(seen::FASTOPEN_CHILD) {
        if !pass.saw(seen::QUEUE_CLOSED) {
            return Outcome::SynFastopen;
        }
        pass.ledgers.current().forget_refusals();
        Outcome::SynClosing
    } else if config!(progress_by_mib) != 0 {
        progress::outcome::<M>(pass, sk)
    } else if cookie_sent(pass) {
        Outcome::SynCookie
    } else {
        let outcome = refusal(pass);
        let ledger = pass.ledgers.current();
        if matches!(outcome, Outcome::SynAcceptQueueFull) {
            ledger.overflowed();
        } else {
            ledger.forget_refusals();
        }
        outcome
    }
}

/// Whether the SYN was answered with a cookie.
#[inline(always)]
fn cookie_sent(pass: &mut Pass) -> bool {
    if config!(syn_groups) & group::COOKIES == 0 {
        return pass.saw(seen::COOKIE_MADE) && !dropped_since(pass);
    }
    if !pass.saw(seen::ALLOCATED) || !pass.saw(seen::COOKIE_CHOSEN) {
        return false;
    }
    let ledger = pass.ledgers.current();
    ledger.cookie_sent() && (config!(cookie_can_drop) == 0 || !ledger.refused().dropped)
}

/// `cookie_v4_init_sequence` or `cookie_v6_init_sequence` makes a cookie.
#[inline(always)]
pub fn makes_cookie() {
    let Some(pass) = pass::within(Kind::Syn) else { return };
    pass.seen |= seen::COOKIE_MADE;
    if config!(slots) != 0 {
        ledger::identify::<Probed>(pass, pass.kept.sk as *const u8);
        pass.refusals = Refusals::read(pass.ledgers.current().slots());
    }
}

/// Whether the SYN was dropped after its cookie was made: from 7.2 on the route is sought after that.
#[inline(always)]
fn dropped_since(pass: &mut Pass) -> bool {
    config!(slots) != 0
        && Refusals::read(pass.ledgers.current().slots()).drops != pass.refusals.drops
}

/// Nothing was queued and nothing sent: at which check did it end?
#[inline(always)]
fn refusal(pass: &mut Pass) -> Outcome {
    if pass.saw(seen::ALLOCATED) {
        return if pass.saw(seen::NO_MEMORY) {
            Outcome::SynNoMemory
        } else if pass.saw(seen::NOT_PROVEN) {
            Outcome::SynLastQuarter
        } else {
            Outcome::SynNoRoute
        };
    }
    if config!(syn_groups) & group::SYN_QUEUE != 0 {
        progress::full_syn_queue(pass);
    }
    if pass.saw(seen::FLOOD_DROP) { Outcome::SynQueueFull } else { Outcome::SynAcceptQueueFull }
}

/// Counts what the kernel counts about the SYN beside its outcome.
#[inline(always)]
fn tally(pass: &mut Pass, listener: Listener) {
    if pass.seen & (seen::COOKIE_CHOSEN | FASTOPEN_TALLIES) == 0 {
        return;
    }
    if pass.saw(seen::COOKIE_CHOSEN) {
        if pass.saw(seen::ALLOCATED) {
            // The kernel has counted that, and we have not looked.
            pass.ledgers.current().syn_queue.cookies += 1;
        }
        report::tally(listener, Tally::CookieChosen);
    }
    if pass.saw(seen::FASTOPEN_COOKIE_REQUESTED) {
        report::tally(listener, Tally::FastopenCookieRequested);
    }
    if pass.saw(seen::FASTOPEN_QUEUE_FULL) {
        report::tally(listener, Tally::FastopenQueueFull);
    }
    if pass.saw(seen::FASTOPEN_FALLBACK) {
        report::tally(listener, Tally::FastopenFallback);
    }
    if pass.saw(seen::FASTOPEN_FALLBACK_OVERFLOW) {
        report::tally(listener, Tally::FastopenFallbackOverflow);
    }
}

const FASTOPEN_TALLIES: u32 = seen::FASTOPEN_COOKIE_REQUESTED
    | seen::FASTOPEN_QUEUE_FULL
    | seen::FASTOPEN_FALLBACK
    | seen::FASTOPEN_FALLBACK_OVERFLOW;

/// Compares the outcome with what the kernel counted. A Fast Open attempt may count a failure and
/// still queue the SYN, so a queued SYN says nothing.
#[inline(always)]
fn verify(moved: &Counts, outcome: Outcome) {
    let (overflows, full, drops) = match outcome {
        Outcome::SynAcceptQueueFull => (1, 0, 1),
        Outcome::SynQueueFull => (0, 1, 1),
        Outcome::SynCookie | Outcome::SynFastopen => (0, 0, 0),
        Outcome::SynQueued | Outcome::SynRace => return,
        _ => (0, 0, 1),
    };
    if moved.overflows != overflows || moved.syn_queue_full_drops != full || moved.drops != drops {
        maps::contradicted(outcome);
    }
}

/// Whether [`leave_dispatch`] has something to do when `tcp_v6_conn_request` or its like, for `mptcp` that of MPTCP,
/// returns.
#[inline(always)]
pub fn leaves_dispatch<M: Memory>(skb: *const u8, v6: bool, mptcp: bool) -> bool {
    if let Some(pass) = pass::within(Kind::Syn) {
        if mptcp {
            pass.seen |= seen::MPTCP;
        }
        return true;
    }
    // `tcp_v6_conn_request` handed it to its twin, whose end came first.
    !(v6 && packet::is_ipv4::<M>(skb))
}

/// `tcp_v4_conn_request` or its like returns, and with it `tcp_conn_request`. If that was not reached, the SYN went to a
/// broadcast or multicast address.
#[inline(always)]
pub fn leave_dispatch<M: Memory>(sk: *const u8, skb: *const u8) {
    if let Some(pass) = pass::close(Kind::Syn) {
        done::<M>(pass, sk, skb);
        return;
    }
    let Some(pass) = pass::current() else { return };
    let reached = pass.last_syn == skb as u64;
    pass.last_syn = 0;
    if !reached {
        pass.ledgers.void();
    }
    if reached || !maps::armed() {
        return;
    }
    let client = packet::client::<M>(skb);
    // A source of ::ffff:a.b.c.d is dropped without being counted as a listen drop.
    if packet::is_mapped(&client.address) {
        return;
    }
    report::report::<M>(listener::find::<M>(sk), sk, Outcome::SynNotUnicast, |record| {
        report::set_client(record, &client);
    });
}
