//! TCP Fast Open: an attempt within a SYN's pass.
//!
//! An attempt that fails leaves an ordinary SYN behind, and yet raises counters; only this CPU's slot of
//! them tells which (kernel.md section 5.3). SYNs without the option and without data are no attempts
//! and cost nothing here.

use crate::config::{has, offset};
use crate::memory::Memory;
use crate::mib::FastopenCounts;
use crate::pass::{self, Kind, Pass, seen};
use crate::{ledger, packet};

/// `tcp_try_fastopen` begins; `cookie` is the option that the SYN carries.
#[inline(always)]
pub fn begins<M: Memory>(sk: *const u8, skb: *const u8, cookie: *const u8) {
    if !has!(fastopen_length) {
        return;
    }
    // SAFETY: `cookie` is a `struct tcp_fastopen_cookie`.
    let option: i8 = unsafe { M::read(cookie, offset!(fastopen_length)) };
    // The SYN itself counts one in sequence space. Nearly every SYN ends here.
    if option < 0 && packet::length::<M>(skb) <= 1 {
        return;
    }
    if let Some(pass) = pass::within(Kind::Syn) {
        pass.seen |= seen::FASTOPEN_ATTEMPT;
        ledger::identify::<M>(pass, sk);
        pass.fastopen = FastopenCounts::read(pass.ledgers.current().slots());
    }
}

/// The SYN's pass ends. What an attempt raised has not been raised since by anything else, unless it made a child.
#[inline(always)]
pub fn ends(pass: &mut Pass) {
    if !pass.saw(seen::FASTOPEN_ATTEMPT) {
        return;
    }
    let ledger = pass.ledgers.current();
    ledger.forget_refusals();
    let now = FastopenCounts::read(ledger.slots());
    if now.cookie_requests != pass.fastopen.cookie_requests {
        pass.seen |= seen::FASTOPEN_COOKIE_REQUESTED;
    }
    if now.queue_overflows != pass.fastopen.queue_overflows {
        pass.seen |= seen::FASTOPEN_QUEUE_FULL;
    }
    if pass.saw(seen::FASTOPEN_CHILD) {
        return;
    }
    if now.drops != pass.fastopen.drops {
        pass.seen |= seen::FASTOPEN_FALLBACK;
    }
    if now.overflows != pass.fastopen.overflows {
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
