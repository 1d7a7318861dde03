//! What became of an ACK that no half-open request explains: `cookie_v4_check`, `cookie_v6_check`.

use queue_trace_common::{Outcome, group};

use crate::config::config;
use crate::gauge::{self, Queue};
use crate::ledger;
use crate::memory::Memory;
use crate::pass::{self, Kind, Pass, seen};
use crate::{packet, report};

/// A segment reached the cookie check. The client is read here because from 6.12 on the kernel frees
/// the segment inside when it fails.
#[inline(always)]
pub fn enter<M: Memory>(sk: *const u8, skb: *const u8) {
    let Some(pass) = pass::open(Kind::Cookie) else { return };
    pass.client = packet::client::<M>(skb);
    // A valid cookie that comes to nothing may have counted as a listen drop, or not.
    ledger::begin::<M>(pass, sk, group::REFUSALS);
}

/// `__cookie_v4_check` or `__cookie_v6_check` judged; the result is the coded MSS, 0 for invalid.
#[inline(always)]
pub fn judged(mss: u32) {
    // A BPF helper calls these too, outside of our pass, where evidence counts for nothing.
    pass::note(if mss == 0 { seen::COOKIE_INVALID } else { seen::COOKIE_VALID });
}

/// The check returns: the child, the listener itself, or nothing.
#[inline(always)]
pub fn leave<M: Memory>(sk: *const u8, returned: u64) {
    let Some(pass) = pass::close(Kind::Cookie) else { return };
    let outcome = if pass.saw(seen::COOKIE_INVALID) {
        Outcome::CookieInvalid
    } else if !pass.saw(seen::COOKIE_VALID) {
        // Not a cookie at all: cookies are off, or none was sent lately. Unless a BPF program judged it.
        if returned != sk as u64 {
            pass.ledgers.current().forget_refusals();
        }
        return;
    } else if returned != 0 && returned != sk as u64 {
        Outcome::CookieEstablished
    } else {
        failure(pass)
    };
    let listener = pass.listener::<M>(sk);
    if matches!(outcome, Outcome::CookieEstablished) {
        gauge::entered::<M>(listener, pass.now.period(), sk, Queue::Accept);
    }
    report::report_within::<M>(pass, listener, sk, outcome, |record, pass| {
        report::set_client(record, &pass.client);
    });
}

/// A valid cookie, no child: was it for want of room?
#[inline(always)]
fn failure(pass: &mut Pass) -> Outcome {
    let refused = pass.ledgers.current().refused();
    let overflow = if config!(ack_by_mib) != 0 {
        refused.overflow
    } else {
        pass.saw(seen::SYN_RECV_SOCK) && !pass.saw(seen::CHILD | seen::NO_ROUTE)
    };
    if overflow {
        Outcome::CookieAcceptQueueFull
    } else if refused.dropped {
        Outcome::CookieChildFailed
    } else {
        Outcome::CookieFailed
    }
}
