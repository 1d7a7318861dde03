//! What became of a SYN: `tcp_conn_request` from its entry to its end.
//!
//! The outcome follows from how far the kernel got in its own order of checks (kernel.md section 5.2
//! and 6.5), never from repeating its tests beforehand: the queues move meanwhile.

use queue_trace_common::{Outcome, Tally};

use crate::config::config;
use crate::gauge::{self, Queue};
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::mib::{Counts, Refusals};
use crate::pass::{self, Kind, Pass, seen};
use crate::{fastopen, listener, maps, mib, packet, report};

/// A SYN reached `tcp_conn_request`.
#[inline(always)]
pub fn enter<M: Memory>(sk: *const u8, skb: *const u8) {
    let Some(pass) = pass::open(Kind::Syn) else {
        reached(skb);
        return;
    };
    pass.kept.sk = sk as u64;
    if M::DIRECT && config!(per_cpu_offset) != 0 {
        // For inner hooks, which have no typed socket.
        mib::find::<M>(pass, sk);
    }
    if config!(syn_by_mib) != 0 || config!(verify) != 0 {
        pass.mib = Counts::read::<M>(pass, sk);
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
    fastopen::ends::<M>(pass, sk);
    let outcome = outcome::<M>(pass, sk);
    if config!(verify) != 0 {
        verify(&Counts::read::<M>(pass, sk).since(&pass.mib), outcome);
    }
    let listener = listener::find_again::<M>(sk);
    if pass.saw(seen::HASHED) {
        gauge::entered::<M>(listener, sk, Queue::Syn);
    } else if matches!(outcome, Outcome::SynFastopen) {
        gauge::entered::<M>(listener, sk, Queue::Accept);
    }
    tally(pass, listener);
    report::report::<M>(listener, sk, outcome, |record| {
        report::set_client(record, &packet::client::<M>(skb));
    });
}

#[inline(always)]
fn outcome<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    if pass.saw(seen::HASHED) {
        Outcome::SynQueued
    } else if pass.saw(seen::HASH_RACE) {
        Outcome::SynRace
    } else if pass.saw(seen::FASTOPEN_CHILD) {
        if pass.saw(seen::QUEUE_CLOSED) { Outcome::SynClosing } else { Outcome::SynFastopen }
    } else if pass.saw(seen::COOKIE_MADE) && !dropped_since::<M>(pass, sk) {
        Outcome::SynCookie
    } else {
        refusal::<M>(pass, sk)
    }
}

/// `cookie_v4_init_sequence` or `cookie_v6_init_sequence` makes a cookie.
#[inline(always)]
pub fn makes_cookie() {
    let Some(pass) = pass::within(Kind::Syn) else { return };
    pass.seen |= seen::COOKIE_MADE;
    if config!(per_cpu_offset) != 0 {
        pass.refusals = Refusals::read::<Probed>(pass, pass.kept.sk as *const u8);
    }
}

/// Whether the SYN was dropped after its cookie was made: from 7.2 on the route is sought after that.
#[inline(always)]
fn dropped_since<M: Memory>(pass: &mut Pass, sk: *const u8) -> bool {
    config!(per_cpu_offset) != 0 && Refusals::read::<M>(pass, sk).drops != pass.refusals.drops
}

/// Nothing was queued and nothing sent: at which check did it end?
#[inline(always)]
fn refusal<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    if pass.saw(seen::ALLOCATED) {
        return if pass.saw(seen::NO_MEMORY) {
            Outcome::SynNoMemory
        } else if pass.saw(seen::NOT_PROVEN) {
            Outcome::SynLastQuarter
        } else {
            Outcome::SynNoRoute
        };
    }
    if config!(syn_by_mib) != 0 {
        let moved = Counts::read::<M>(pass, sk).since(&pass.mib);
        if moved.syn_queue_full_drops != 0 {
            pass.seen |= seen::FLOOD_DROP;
        }
        if moved.syn_queue_full_cookies != 0 {
            pass.seen |= seen::COOKIE_CHOSEN;
        }
    }
    if pass.saw(seen::FLOOD_DROP) { Outcome::SynQueueFull } else { Outcome::SynAcceptQueueFull }
}

/// Counts what the kernel counts about the SYN beside its outcome.
#[inline(always)]
fn tally(pass: &Pass, listener: Listener) {
    if pass.seen & (seen::COOKIE_CHOSEN | FASTOPEN_TALLIES) == 0 {
        return;
    }
    if pass.saw(seen::COOKIE_CHOSEN) {
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

/// `tcp_v4_conn_request` or its like returns, and with it `tcp_conn_request`. If that was not reached, the SYN
/// went to a broadcast or multicast address.
#[inline(always)]
pub fn leave_dispatch<M: Memory>(sk: *const u8, skb: *const u8, v6: bool) {
    if let Some(pass) = pass::close(Kind::Syn) {
        done::<M>(pass, sk, skb);
        return;
    }
    let Some(pass) = pass::current() else { return };
    let reached = pass.last_syn == skb as u64;
    pass.last_syn = 0;
    if reached || !maps::armed() {
        return;
    }
    let client = packet::client::<M>(skb);
    // `tcp_v6_conn_request` hands IPv4 segments to its twin, whose end came first; and it drops a
    // source of ::ffff:a.b.c.d without counting it as a listen drop.
    if v6 && (client.version == 4 || packet::is_mapped(&client.address)) {
        return;
    }
    report::report::<M>(listener::find::<M>(sk), sk, Outcome::SynNotUnicast, |record| {
        report::set_client(record, &client);
    });
}
