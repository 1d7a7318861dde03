//! What became of a segment for a half-open request: `tcp_check_req` from its entry to its end.
//!
//! Calls for Fast Open children (`fastopen` set) are no passes: they can run in process context.

use queue_trace_common::Outcome;

use crate::config::{config, offset};
use crate::gauge::{self, Queue};
use crate::ledger::{self, group};
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::mib::Counts;
use crate::pass::{self, Kind, Pass, Request, seen};
use crate::report::Timed;
use crate::{listener, maps, migrate, packet, report};

/// TCP flag bits of a segment.
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A segment for a half-open request reached `tcp_check_req`.
#[inline(always)]
pub fn enter<M: Memory>(sk: *const u8, request: *const u8) {
    let Some(pass) = pass::open(Kind::Ack) else { return };
    if pass.migrating_to != 0 {
        pass.seen |= seen::MIGRATING;
        pass.migrating_to = 0;
        pass.former = migrate::former(request) as u64;
    }
    if config!(ack_by_mib) != 0 {
        ledger::begin::<M>(pass, sk, group::REFUSALS);
    }
    if config!(verify) != 0 {
        ledger::identify::<M>(pass, sk);
        pass.mib = Counts::read(pass.ledgers.current().slots());
        if !pass.ledgers.current().holds(&pass.mib) {
            maps::contradicted(Outcome::Established);
        }
    }
}

/// `inet_csk_complete_hashdance`: the child is about to enter the accept queue.
#[inline(always)]
pub fn hashdance<M: Memory>(request: *const u8, own: bool) {
    let Some(pass) = pass::within(Kind::Ack) else { return };
    if !own {
        pass.seen |= seen::HASHDANCE_LOST;
        return;
    }
    pass.seen |= seen::HASHDANCE;
    // SAFETY: `request` is a TCP request; the time lies behind the declared `request_sock`.
    unsafe {
        let again = M::read::<u8>(request, offset!(retransmits)) != 0;
        pass.request.synack_us =
            if again { M::read_tcp_request(request, offset!(synack_time)) } else { 0 };
    }
}

/// `tcp_check_req` returns `returned`: the child, the listener itself, or nothing.
#[inline(always)]
pub fn leave<M: Memory>(sk: *const u8, skb: *const u8, request: *const u8, returned: *const u8) {
    let Some(pass) = pass::close(Kind::Ack) else { return };
    let outcome = outcome::<M>(pass, skb, returned as u64, returned == sk);
    if config!(verify) != 0 {
        let now = Counts::read(pass.ledgers.current().slots());
        verify(&now.since(&pass.mib), outcome);
    }
    let listener = pass.listener::<M>(sk);
    if matches!(outcome, Outcome::Established) {
        gauge::entered::<M>(listener, pass.now.period(), sk, Queue::Accept);
        if !pass.saw(seen::MIGRATING) {
            // The most frequent by far; a way of its own, on which the compiler knows the outcome.
            gauge::left::<M>(listener, sk, Queue::Syn);
            let outcome = Outcome::Established;
            return tell::<M, M>(listener, sk, skb, returned, outcome, &pass.request);
        }
    }
    if pass.saw(seen::HASHDANCE | seen::REQUEST_DROPPED) {
        gauge::left::<M>(listener, sk, Queue::Syn);
    }
    // The request of a child that was made can be freed by now.
    let client = if matches!(outcome, Outcome::Established | Outcome::SubflowJoined) {
        returned
    } else {
        request
    };
    migrate::after_ack::<M>(pass, sk, client, outcome);
    if pass.saw(seen::MIGRATING) && ends_request(outcome) {
        // It was not taken over: the listener that it was queued at lost it.
        let former = pass.former as *const u8;
        let listener = listener::find::<Probed>(former);
        tell::<Probed, M>(listener, former, skb, client, outcome, &pass.request);
    } else {
        tell::<M, M>(listener, sk, skb, client, outcome, &pass.request);
    }
}

/// Whether the request is gone and no connection came of it.
#[inline(always)]
fn ends_request(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::ExpiredReset
            | Outcome::AckAcceptQueueFullReset
            | Outcome::AckChildFailedReset
            | Outcome::AckClosing
    )
}

/// `client` is the request or the child, which both know it.
#[inline(always)]
fn tell<L: Memory, M: Memory>(
    listener: Listener,
    sk: *const u8,
    skb: *const u8,
    client: *const u8,
    outcome: Outcome,
    request: &Request,
) {
    let mut handshake_ns = 0;
    if matches!(outcome, Outcome::Established) {
        // The client is the child then.
        let us = handshake_us::<M>(client, request.synack_us);
        handshake_ns = us * 1000;
        report::time(listener, Timed::Handshake, handshake_ns, us);
    }
    report::report::<L>(listener, sk, outcome, |record| {
        report::set_client(record, &packet::peer::<M>(client));
        record.duration_ns = handshake_ns;
        if matches!(outcome, Outcome::ExpiredReset) {
            record.duration_ns = since_synack(request.synack_us, record.time_ns);
            record.detail = request.detail;
        } else {
            record.detail = packet::length::<M>(skb);
        }
    });
}

#[inline(always)]
fn outcome<M: Memory>(
    pass: &mut Pass,
    skb: *const u8,
    returned: u64,
    is_listener: bool,
) -> Outcome {
    if is_listener {
        return Outcome::AckBadNumber;
    }
    if returned != 0 {
        return if pass.saw(seen::HASHDANCE) {
            Outcome::Established
        } else {
            Outcome::SubflowJoined
        };
    }
    if pass.saw(seen::HASHDANCE) {
        Outcome::AckClosing
    } else if pass.saw(seen::HASHDANCE_LOST) {
        Outcome::AckLostRace
    } else if let Some(overflow) = tried(pass) {
        no_child(pass, overflow)
    } else if pass.saw(seen::REQUEST_DROPPED) {
        Outcome::ExpiredReset
    } else {
        no_try::<M>(pass, skb)
    }
}

/// Whether the kernel tried to make a child, and if so, whether it found no room in the accept queue.
#[inline(always)]
fn tried(pass: &mut Pass) -> Option<bool> {
    if config!(ack_by_mib) == 0 {
        let overflow = !pass.saw(seen::CHILD | seen::NO_ROUTE);
        return pass.saw(seen::SYN_RECV_SOCK).then_some(overflow);
    }
    // Every failure of `tcp_v{4,6}_syn_recv_sock` but a duplicate address pair, which ends in the
    // hashdance, counts a listen drop.
    let refused = pass.ledgers.current().refused();
    (refused.dropped || pass.saw(seen::CHILD)).then_some(refused.overflow)
}

/// It tried and got none: no room in the accept queue, or something else.
#[inline(always)]
fn no_child(pass: &Pass, overflow: bool) -> Outcome {
    match (overflow, pass.saw(seen::REQUEST_DROPPED)) {
        (true, false) => Outcome::AckAcceptQueueFull,
        (true, true) => Outcome::AckAcceptQueueFullReset,
        (false, false) => Outcome::AckChildFailed,
        (false, true) => Outcome::AckChildFailedReset,
    }
}

/// It did not even try: which of the earlier exits was it?
#[inline(always)]
fn no_try<M: Memory>(pass: &Pass, skb: *const u8) -> Outcome {
    let flags = packet::flags::<M>(skb);
    let rate_limited_exit = pass.saw(seen::OUT_OF_WINDOW | seen::SYNACK_RESENT);
    if flags & (SYN | ACK | RST) == SYN && rate_limited_exit {
        Outcome::SynRetransmitted
    } else if rate_limited_exit || flags & ACK == 0 || flags & RST != 0 {
        Outcome::AckUnacceptable
    } else {
        Outcome::AckDeferred
    }
}

/// How long a handshake took, microseconds. The kernel has just measured it for the child (`tcp_synack_rtt_meas`), unless
/// the SYN-ACK was sent again; then `synack_us` is the time of the first one.
#[inline(always)]
fn handshake_us<M: Memory>(child: *const u8, synack_us: u64) -> u64 {
    if synack_us != 0 {
        return since_synack(synack_us, report::now()) / 1000;
    }
    // SAFETY: a TCP socket. The first measurement is kept eightfold, and at least 1.
    let rtt: u32 = unsafe { M::read_tcp(child, offset!(round_trip)) };
    u64::from(rtt >> 3)
}

#[inline(always)]
fn verify(moved: &Counts, outcome: Outcome) {
    let (overflows, drops) = match outcome {
        Outcome::AckAcceptQueueFull | Outcome::AckAcceptQueueFullReset => (1, 1),
        Outcome::AckChildFailed | Outcome::AckChildFailedReset => (0, 1),
        _ => (0, 0),
    };
    if moved.overflows != overflows || moved.drops != drops {
        maps::contradicted(outcome);
    }
}

/// Nanoseconds since a first SYN-ACK; the kernel keeps its time in microseconds of the same clock.
#[inline(always)]
pub fn since_synack(synack_us: u64, now_ns: u64) -> u64 {
    if synack_us == 0 { 0 } else { now_ns.saturating_sub(synack_us * 1000) }
}
