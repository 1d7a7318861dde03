//! Requests and connections that go over to another listener of a `SO_REUSEPORT` group when theirs
//! closes (`tcp_migrate_req`, from 5.14 on).
//!
//! There are three ways: a waiting connection in `inet_csk_listen_stop`, a half-open request when its
//! timer fires, and one whose final ACK comes. What the kernel counts follows kernel.md section 6.5.

use queue_trace_common::{Outcome, Tally};

use crate::config::{config, member, offset};
use crate::gauge::{self, Queue};
use crate::memory::{Memory, Probed};
use crate::pass::{self, Client, Kind, Pass, seen};
use crate::{listener, maps, mib, packet, report};

/// `reuseport_migrate_sock` returns the listener that takes over, or nothing. `segment` is null unless a
/// packet asks.
#[inline(always)]
pub fn sought<M: Memory>(sk: *const u8, segment: u64, found: u64) {
    if !maps::armed() {
        return;
    }
    let Some(pass) = pass::current() else { return };
    pass.clone = 0;
    if pass.kind == Kind::None as u32 {
        pass.former = sk as u64;
    }
    // Before `tcp_check_req`, whose pass has not begun.
    pass.migrating_to = if segment != 0 || pass.kind == Kind::Timer as u32 { found } else { 0 };
    // SAFETY: `sk` is a socket.
    if found == 0 && unsafe { member!(M, sk, reuseport: u64) } != 0 {
        // Outside a group the kernel counts nothing.
        let listener = listener::find::<M>(sk);
        report::report::<M>(listener, sk, Outcome::MigrationFailed, |_| {});
    }
}

/// `inet_reqsk_clone` returns the request's copy for the new listener, or nothing.
#[inline(always)]
pub fn cloned<M: Memory>(request: *const u8, to: *const u8, clone: u64) {
    let Some(pass) = pass::current() else { return };
    // The request of a cookie has no listener; that of a waiting connection is the one that closes.
    let from =
        if pass.kind == Kind::None as u32 { pass.former as *const u8 } else { former(request) };
    // The request may be gone when the pass ends.
    pass.client = packet::peer::<Probed>(request);
    if clone == 0 {
        pass.seen |= seen::CLONE_FAILED;
        tell(from, &pass.client, Outcome::MigrationFailed);
        return;
    }
    pass.seen |= seen::CLONED;
    if config!(migrate_by_mib) != 0 {
        pass.migrations = mib::migrations(&mut pass.ledgers.this_cpu, from);
    }
    if pass.kind != Kind::None as u32 {
        return;
    }
    // `inet_csk_listen_stop`: the connection is queued at once, unless the other listener closes too,
    // which `inet_child_forget` would tell.
    pass.clone = clone;
    tell(from, &pass.client, Outcome::MigratedConnection);
    let target = listener::find::<M>(to);
    report::tally(target, Tally::MigratedHere);
    if let Some(now) = maps::counting() {
        gauge::entering::<M>(target, now.period(), to, Queue::Accept);
    }
}

/// `inet_child_forget` was called for a clone: the other listener closed too. Takes back what
/// [`cloned`] counted; the listener that the connection was waiting at.
#[inline(always)]
pub fn lost<M: Memory>(pass: &mut Pass, sk: *const u8) -> *const u8 {
    pass.clone = 0;
    let former = pass.former as *const u8;
    report::untally(listener::find::<M>(sk), Tally::MigratedHere);
    report::uncount(listener::find::<Probed>(former), Outcome::MigratedConnection);
    tell(former, &pass.client, Outcome::MigrationFailed);
    former
}

/// `inet_ehash_insert` within a request's timer: the clone takes the request's place.
#[inline(always)]
pub fn inserted(result: u8) {
    if let Some(pass) = pass::within(Kind::Timer)
        && pass.saw(seen::CLONED)
    {
        pass.seen |= if result == 0 { seen::HASH_RACE } else { seen::CLONE_HASHED };
    }
}

/// A request's timer is done.
#[inline(always)]
pub fn after_timer(pass: &mut Pass) {
    if !pass.saw(seen::CLONED) {
        return;
    }
    let (hashed, failed) = if config!(migrate_by_mib) != 0 {
        let [successes, failures] =
            mib::migrations(&mut pass.ledgers.this_cpu, pass.former as *const u8);
        (successes != pass.migrations[0], failures != pass.migrations[1])
    } else {
        (pass.saw(seen::CLONE_HASHED), !pass.saw(seen::HASH_RACE))
    };
    if !hashed && !failed {
        // Another CPU finished the handshake meanwhile: the kernel counts nothing.
        return;
    }
    // One record for both, which the verifier sees once: this is rare.
    let outcome = if hashed { Outcome::MigratedRequest } else { Outcome::MigrationFailed };
    tell(pass.former as *const u8, &pass.client, outcome);
    if hashed {
        let target = listener::find::<Probed>(pass.migrating_to as *const u8);
        report::tally(target, Tally::MigratedHere);
    }
}

/// A final ACK for a request of a closed listener has been dealt with; `client` as in [`crate::ack`].
#[inline(always)]
pub fn after_ack<M: Memory>(pass: &Pass, sk: *const u8, client: *const u8, outcome: Outcome) {
    if !pass.saw(seen::MIGRATING) {
        return;
    }
    let migration = match outcome {
        Outcome::Established => {
            report::tally(listener::find::<M>(sk), Tally::MigratedHere);
            Outcome::MigratedRequest
        }
        Outcome::AckAcceptQueueFull
        | Outcome::AckAcceptQueueFullReset
        | Outcome::AckChildFailed
        | Outcome::AckChildFailedReset
        | Outcome::AckClosing
            if !pass.saw(seen::CLONE_FAILED) =>
        {
            Outcome::MigrationFailed
        }
        _ => return,
    };
    let former = pass.former as *const u8;
    report::report::<Probed>(listener::find::<Probed>(former), former, migration, |record| {
        report::set_client(record, &packet::peer::<M>(client));
    });
}

/// The listener that a request belongs to.
#[inline(always)]
pub fn former(request: *const u8) -> *const u8 {
    // SAFETY: read by helper.
    unsafe { Probed::read::<u64>(request, offset!(listener)) as *const u8 }
}

#[inline(always)]
fn tell(sk: *const u8, client: &Client, outcome: Outcome) {
    report::report::<Probed>(listener::find::<Probed>(sk), sk, outcome, |record| {
        report::set_client(record, client);
    });
}
