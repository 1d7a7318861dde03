//! What became of a segment for a half-open request: `tcp_check_req` from its entry to its end.
//!
//! Calls for Fast Open children (`fastopen` set) are no passes: they can run in process context.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use queue_trace_common::Outcome;

use crate::config::{config, offset};
use crate::gauge::{self, Queue};
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::mib::{Counts, Refusals};
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
        pass.refusals = Refusals::read::<M>(pass, sk);
    }
    if config!(verify) != 0 {
        pass.mib = Counts::read::<M>(pass, sk);
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
    // SAFETY: `request` is a TCP request; the member lies behind the declared `request_sock`.
    pass.request.synack_us = unsafe { M::read_tcp_request(request, offset!(synack_time)) };
}

/// `tcp_check_req` returns `returned`: the child, the listener itself, or nothing.
#[inline(always)]
pub fn leave<M: Memory>(sk: *const u8, skb: *const u8, returned: *const u8) {
    let Some(pass) = pass::close(Kind::Ack) else { return };
    let outcome = outcome::<M>(pass, sk, skb, returned as u64);
    if config!(verify) != 0 {
        verify(&Counts::read::<M>(pass, sk).since(&pass.mib), outcome);
    }
    let listener = listener::find_again::<M>(sk);
    if matches!(outcome, Outcome::Established) {
        gauge::entered::<M>(listener, sk, Queue::Accept);
    }
    if pass.saw(seen::HASHDANCE | seen::REQUEST_DROPPED) {
        gauge::left::<M>(listener, sk, Queue::Syn);
    }
    migrate::after_ack::<M>(pass, sk, skb, outcome);
    if pass.saw(seen::MIGRATING) && ends_request(outcome) {
        // It was not taken over: the listener that it was queued at lost it.
        let former = pass.former as *const u8;
        tell::<Probed>(listener::find::<Probed>(former), former, skb, outcome, &pass.request);
    } else {
        tell::<M>(listener, sk, skb, outcome, &pass.request);
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

#[inline(always)]
fn tell<M: Memory>(
    listener: Listener,
    sk: *const u8,
    skb: *const u8,
    outcome: Outcome,
    request: &Request,
) {
    let established = matches!(outcome, Outcome::Established);
    let handshake_ns = if established { since_synack(request.synack_us) } else { 0 };
    if established {
        report::time(listener, Timed::Handshake, handshake_ns);
    }
    report::report::<M>(listener, sk, outcome, |record| {
        report::set_client(record, &packet::client::<M>(skb));
        match outcome {
            Outcome::Established => record.duration_ns = handshake_ns,
            Outcome::ExpiredReset => {
                record.duration_ns = since_synack(request.synack_us);
                record.detail = request.detail;
                return;
            }
            _ => {}
        }
        record.detail = packet::length::<M>(skb);
    });
}

#[inline(always)]
fn outcome<M: Memory>(pass: &mut Pass, sk: *const u8, skb: *const u8, returned: u64) -> Outcome {
    if returned == sk as u64 {
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
    } else if let Some(overflow) = tried::<M>(pass, sk) {
        no_child(pass, overflow)
    } else if pass.saw(seen::REQUEST_DROPPED) {
        Outcome::ExpiredReset
    } else {
        no_try::<M>(pass, skb)
    }
}

/// Whether the kernel tried to make a child, and if so, whether it found no room in the accept queue.
#[inline(always)]
fn tried<M: Memory>(pass: &mut Pass, sk: *const u8) -> Option<bool> {
    if config!(ack_by_mib) == 0 {
        let overflow = !pass.saw(seen::CHILD | seen::NO_ROUTE);
        return pass.saw(seen::SYN_RECV_SOCK).then_some(overflow);
    }
    // Every failure of `tcp_v{4,6}_syn_recv_sock` but a duplicate address pair, which ends in the
    // hashdance, counts a listen drop.
    let now = Refusals::read::<M>(pass, sk);
    let dropped = pass.saw(seen::CHILD) || now.drops != pass.refusals.drops;
    dropped.then_some(now.overflows != pass.refusals.overflows)
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
pub fn since_synack(synack_us: u64) -> u64 {
    if synack_us == 0 {
        return 0;
    }
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }.saturating_sub(synack_us * 1000)
}
