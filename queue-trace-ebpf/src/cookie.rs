//! What became of an ACK that no half-open request explains: `cookie_v4_check`, `cookie_v6_check`.

use queue_trace_common::Outcome;

use crate::config::config;
use crate::gauge::{self, Queue};
use crate::memory::Memory;
use crate::mib::Refusals;
use crate::pass::{self, Kind, Pass, seen};
use crate::{listener, packet, report};

/// A segment reached the cookie check. The client is read here because from 6.12 on the kernel frees
/// the segment inside when it fails.
#[inline(always)]
pub fn enter<M: Memory>(sk: *const u8, skb: *const u8) {
    let Some(pass) = pass::open(Kind::Cookie) else { return };
    pass.client = packet::client::<M>(skb);
    // A valid cookie that comes to nothing may have counted as a listen drop, or not.
    pass.refusals = Refusals::read::<M>(pass, sk);
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
        // Not a cookie at all: cookies are off, or none was sent lately.
        return;
    } else if returned != 0 && returned != sk as u64 {
        Outcome::CookieEstablished
    } else {
        failure::<M>(pass, sk)
    };
    let listener = listener::find::<M>(sk);
    if matches!(outcome, Outcome::CookieEstablished) {
        gauge::entered::<M>(listener, sk, Queue::Accept);
    }
    let client = pass.client;
    report::report::<M>(listener, sk, outcome, |record| report::set_client(record, &client));
}

/// A valid cookie, no child: was it for want of room?
#[inline(always)]
fn failure<M: Memory>(pass: &mut Pass, sk: *const u8) -> Outcome {
    let now = Refusals::read::<M>(pass, sk);
    let overflow = if config!(ack_by_mib) != 0 {
        now.overflows != pass.refusals.overflows
    } else {
        pass.saw(seen::SYN_RECV_SOCK) && !pass.saw(seen::CHILD | seen::NO_ROUTE)
    };
    if overflow {
        Outcome::CookieAcceptQueueFull
    } else if now.drops != pass.refusals.drops {
        Outcome::CookieChildFailed
    } else {
        Outcome::CookieFailed
    }
}
