//! How half-open requests are kept alive, and how they end without a connection.

use queue_trace_common::{Outcome, Record};

use crate::config::{config, member, offset};
use crate::gauge::{self, Queue};
use crate::memory::{Memory, Probed};
use crate::pass::{self, Kind, Pass, seen};
use crate::{ack, listener, maps, migrate, packet, report};

/// `TCP_LISTEN`.
const TCP_LISTEN: u8 = 10;

/// `reqsk_timer_handler` begins; its argument is the timer inside the request.
#[inline(always)]
pub fn timer_fires(timer: *const u8) {
    let Some(pass) = pass::open(Kind::Timer) else { return };
    let request = timer.wrapping_sub(offset!(timer));
    let former = migrate::former(request);
    pass.former = former as u64;
    if !listens(former) {
        pass.seen |= seen::LISTENER_CLOSED;
    }
}

/// Whether a socket is in LISTEN.
#[inline(always)]
fn listens(sk: *const u8) -> bool {
    // SAFETY: read by helper.
    unsafe { Probed::read::<u8>(sk, offset!(state)) == TCP_LISTEN }
}

/// `reqsk_timer_handler` ends.
#[inline(always)]
pub fn timer_done() {
    if let Some(pass) = pass::close(Kind::Timer) {
        migrate::after_timer(pass);
        pass.migrating_to = 0;
    }
}

/// `tcp_req_err` begins: an ICMP error names a half-open request.
#[inline(always)]
pub fn icmp_error() {
    pass::open(Kind::Icmp);
}

/// `tcp_req_err` ends.
#[inline(always)]
pub fn icmp_done() {
    if let Some(pass) = pass::close(Kind::Icmp) {
        // A listen drop, if it dropped a request.
        pass.ledgers.void();
    }
}

/// `tcp_rtx_synack` returned: a SYN-ACK was sent again, because the timer fired or because the client
/// sent its SYN again, or could not be sent. `asked` is the socket that it was sent for: the listener, but for children of
/// Fast Open and requests that have migrated.
#[inline(always)]
pub fn synack_resent<M: Memory>(asked: *const u8, request: *const u8, result: i32) {
    if !maps::armed() {
        return;
    }
    let Some(pass) = pass::current() else { return };
    pass.seen |= if result == 0 { seen::SYNACK_RESENT } else { seen::SYNACK_UNSENDABLE };
    // SAFETY: `request` is a half-open request and holds its listener.
    let (sk, sent) = unsafe {
        let sk = Probed::read::<u64>(request, offset!(listener)) as *const u8;
        (sk, u32::from(member!(M, request, retransmits: u8)))
    };
    let number = if config!(counts_retransmit) != 0 { sent } else { sent + 1 };
    let outcome = if result == 0 { Outcome::SynackRetransmit } else { Outcome::SynackUnsendable };
    let fill = |record: &mut Record, _: &Pass| {
        report::set_client(record, &packet::peer::<M>(request));
        record.detail = number;
    };
    if M::DIRECT && sk == asked {
        // Which can be read more cheaply.
        return report::report_within::<M>(
            pass,
            listener::find::<Probed>(sk),
            asked,
            outcome,
            fill,
        );
    }
    report::report_within::<Probed>(pass, listener::find::<Probed>(sk), sk, outcome, fill);
}

/// `__inet_csk_reqsk_queue_drop` returns whether this call unlinked the request, of which every caller still
/// holds a reference.
#[inline(always)]
pub fn dropped<M: Memory>(sk: *const u8, request: *const u8, by_timer: bool, unlinked: bool) {
    if !unlinked {
        if config!(hashdance_by_return) != 0 {
            ack::unhashed::<M>(request);
        }
        return;
    }
    let Some(pass) = pass::current() else { return };
    let acks = pass.kind == Kind::Ack as u32;
    if acks && pass.saw(seen::HASHDANCE | seen::HASHDANCE_LOST) {
        // Every finished handshake unlinks its request here; that is no end without a connection.
        pass.seen |= seen::REQUEST_DROPPED;
        return;
    }
    if !maps::armed() {
        return;
    }
    // SAFETY: `request` is a half-open request.
    let (synack_us, detail) = unsafe {
        let acked = Probed::read::<u8>(request, offset!(acked)) as u32 & config!(acked_mask) != 0;
        let retransmits = u32::from(member!(M, request, retransmits: u8));
        let detail = retransmits | u32::from(acked) << Record::ACKED_SHIFT;
        (M::read_tcp_request(request, offset!(synack_time)), detail)
    };
    if acks {
        // The end of `tcp_check_req` tells what the segment did.
        pass.seen |= seen::REQUEST_DROPPED;
        (pass.request.synack_us, pass.request.detail) = (synack_us, detail);
        return;
    }
    let outcome = cause(pass, sk, by_timer);
    let listener = listener::find::<M>(sk);
    gauge::left::<M>(listener, sk, Queue::Syn);
    report::report_within::<M>(pass, listener, sk, outcome, |record, _| {
        report::set_client(record, &packet::peer::<M>(request));
        record.duration_ns = ack::since_synack(synack_us, record.time_ns);
        record.detail = detail;
    });
}

#[inline(always)]
fn cause(pass: &Pass, sk: *const u8, by_timer: bool) -> Outcome {
    if pass.kind == Kind::Icmp as u32 {
        Outcome::ExpiredIcmp
    } else if pass.kind != Kind::Timer as u32 && !by_timer {
        // A packet for a request whose listener has closed, or a hand from outside.
        if listens(sk) { Outcome::ExpiredAborted } else { Outcome::ExpiredListenerClosed }
    } else if pass.kind != Kind::Timer as u32 {
        // The timer's own hooks are missing.
        Outcome::ExpiredRetries
    } else if pass.saw(seen::LISTENER_CLOSED) {
        Outcome::ExpiredListenerClosed
    } else if pass.saw(seen::SYNACK_UNSENDABLE) {
        Outcome::ExpiredUnsendable
    } else {
        Outcome::ExpiredRetries
    }
}
