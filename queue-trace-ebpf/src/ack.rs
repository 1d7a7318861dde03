//! What became of a segment for a half-open request: `tcp_check_req` from its entry to its end.
//!
//! Calls for Fast Open children (`fastopen` set) are no passes: they can run in process context.

use queue_trace_common::{Outcome, group};

use crate::config::{config, has, member, offset};
use crate::gauge::{self, Queue};
use crate::ledger;
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::mib::Counts;
use crate::pass::{self, Kind, Pass, seen};
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
    ends::<M>(pass, request);
}

/// The handshake of this request ends.
#[inline(always)]
fn ends<M: Memory>(pass: &mut Pass, request: *const u8) {
    pass.seen |= seen::HASHDANCE;
    // SAFETY: `request` is a TCP request; the time lies behind the declared `request_sock`.
    unsafe {
        let again = member!(M, request, retransmits: u8) != 0;
        pass.request.synack_us =
            if again { M::read_tcp_request(request, offset!(synack_time)) } else { 0 };
    }
}

/// A request is dropped that the hash of half-open requests does not hold any more. Within `tcp_check_req` that is the
/// hashdance, because the child has taken the request's place there already (`inet_ehash_nolisten`); unless the child is
/// none of the listener's (`rsk_drop_req`), or another CPU dropped the request before, of which nothing comes.
#[inline(always)]
pub fn unhashed<M: Memory>(request: *const u8) {
    let Some(pass) = pass::within(Kind::Ack) else { return };
    // SAFETY: `request` is a TCP request; these lie behind the declared `request_sock`.
    let joins = unsafe {
        has!(drop_request)
            && M::read_tcp_request::<u8>(request, offset!(is_mptcp)) != 0
            && M::read_tcp_request::<u8>(request, offset!(drop_request)) != 0
    };
    if !joins {
        ends::<M>(pass, request);
    }
}

/// `tcp_check_req` returns `returned`: the child, the listener itself, or nothing. `stolen` is where it says whether another
/// CPU has the request; only asked for where the hashdance is not hooked.
#[inline(always)]
pub fn leave<M: Memory>(
    sk: *const u8,
    skb: *const u8,
    request: *const u8,
    stolen: impl FnOnce() -> *const u8,
    returned: *const u8,
) {
    let Some(pass) = pass::close(Kind::Ack) else { return };
    let listener = pass.listener::<M>(sk);
    if !returned.is_null() && pass.seen & (seen::HASHDANCE | seen::MIGRATING) == seen::HASHDANCE {
        // The most frequent by far; a way of its own, on which the compiler knows the outcome.
        check(pass, Outcome::Established);
        gauge::entered::<M>(listener, pass.now.period(), sk, Queue::Accept);
        gauge::left::<M>(listener, sk, Queue::Syn);
        return tell::<M, M>(pass, listener, sk, skb, returned, Outcome::Established);
    }
    let outcome = if returned.is_null() {
        nothing::<M>(pass, skb, stolen)
    } else if returned == sk {
        Outcome::AckBadNumber
    } else if pass.saw(seen::HASHDANCE) {
        Outcome::Established
    } else {
        Outcome::SubflowJoined
    };
    check(pass, outcome);
    if matches!(outcome, Outcome::Established) {
        gauge::entered::<M>(listener, pass.now.period(), sk, Queue::Accept);
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
        tell::<Probed, M>(pass, listener, former, skb, client, outcome);
    } else {
        tell::<M, M>(pass, listener, sk, skb, client, outcome);
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
    pass: &mut Pass,
    listener: Listener,
    sk: *const u8,
    skb: *const u8,
    client: *const u8,
    outcome: Outcome,
) {
    let mut handshake_ns = 0;
    if matches!(outcome, Outcome::Established) {
        // The client is the child then.
        let us = handshake_us::<M>(client, pass.request.synack_us);
        handshake_ns = us * 1000;
        report::time(listener, Timed::Handshake, handshake_ns, us);
    }
    report::report_within::<L>(pass, listener, sk, outcome, |record, pass| {
        report::set_client(record, &packet::peer::<M>(client));
        record.duration_ns = handshake_ns;
        if matches!(outcome, Outcome::ExpiredReset) {
            record.duration_ns = since_synack(pass.request.synack_us, record.time_ns);
            record.detail = pass.request.detail;
        } else {
            record.detail = packet::length::<M>(skb);
        }
    });
}

/// What became of the segment where `tcp_check_req` returns nothing.
#[inline(always)]
fn nothing<M: Memory>(
    pass: &mut Pass,
    skb: *const u8,
    stolen: impl FnOnce() -> *const u8,
) -> Outcome {
    let by_return = config!(hashdance_by_return) != 0;
    // Where the hashdance is not hooked, what looks like it is one only if the child was made and forgotten.
    if pass.saw(seen::HASHDANCE) && (!by_return || pass.saw(seen::QUEUE_CLOSED)) {
        Outcome::AckClosing
    } else if pass.saw(seen::HASHDANCE_LOST) {
        Outcome::AckLostRace
    } else if let Some(overflow) = tried(pass) {
        no_child(pass, overflow)
    } else if by_return && is_set(stolen()) {
        Outcome::AckLostRace
    } else if pass.saw(seen::REQUEST_DROPPED) {
        Outcome::ExpiredReset
    } else {
        no_try::<M>(pass, skb)
    }
}

/// Whether a `bool` of the caller's is set.
#[inline(always)]
fn is_set(flag: *const u8) -> bool {
    // SAFETY: the kernel's own variable.
    unsafe { Probed::read::<u8>(flag, 0) != 0 }
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

/// Compares the outcome with what the kernel counted.
#[inline(always)]
fn check(pass: &mut Pass, outcome: Outcome) {
    if config!(verify) == 0 {
        return;
    }
    let moved = Counts::read(pass.ledgers.current().slots()).since(&pass.mib);
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
