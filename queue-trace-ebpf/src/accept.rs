//! Connections that leave the accept queue: accepted, or abandoned with their listener.

use queue_trace_common::Outcome;

use crate::config::offset;
use crate::listener::Listener;
use crate::memory::{Memory, Typed};
use crate::pass::{self, Kind};
use crate::stamp::{self, Stamp};
use crate::{listener, maps, packet, report};

/// A child was accepted from this listener.
///
/// Process context: the per-CPU pass is none of its business.
#[inline(always)]
pub fn accepted<M: Memory>(sk: *const u8, child: *const u8) {
    if !maps::armed() {
        return;
    }
    match stamp::take(child) {
        Some(stamp) => timed::<M>(sk, child, &stamp),
        None => {
            let listener = listener::find::<M>(sk);
            report::report::<M>(listener, sk, Outcome::AcceptedUntimed, |record| {
                report::set_client(record, &packet::peer::<M>(child));
                report::set_process(record);
            });
        }
    }
}

/// A child is given to its new socket (`security_sock_graft`); the listener is not at hand. Only for
/// children that [`accepted`] has not taken: on 5.10, those accepted by a thread that was blocked in
/// `accept()` when we attached.
#[inline(always)]
pub fn grafted<M: Memory>(child: *const u8) {
    if !maps::armed() {
        return;
    }
    if let Some(stamp) = stamp::take(child) {
        // The depths that the record shows are then the child's own: zeros.
        timed::<M>(child, child, &stamp);
    }
}

#[inline(always)]
fn timed<M: Memory>(sk: *const u8, child: *const u8, stamp: &Stamp) {
    let listener = Listener { slot: stamp.slot, flags: stamp.flags };
    let wait_ns = stamp.age_ns();
    report::report::<M>(listener, sk, Outcome::Accepted, |record| {
        report::set_client(record, &packet::peer::<M>(child));
        report::set_process(record);
        record.duration_ns = wait_ns;
    });
}

/// `inet_child_forget`: the listener closes with this child still waiting.
#[inline(always)]
pub fn forgotten<M: Memory>(sk: *const u8, child: *const u8) {
    if !maps::armed() {
        return;
    }
    // Called from within a pass when a child could not be queued: it never waited.
    if pass::within(Kind::None).is_none() {
        return;
    }
    let listener = listener::find::<M>(sk);
    let wait_ns = stamp::take(child).map_or(0, |stamp| stamp.age_ns());
    report::report::<M>(listener, sk, Outcome::AbandonedListenerClosed, |record| {
        report::set_client(record, &packet::peer::<M>(child));
        record.duration_ns = wait_ns;
    });
}

/// The `struct sock` of a `struct socket`, typed for the verifier.
#[inline(always)]
pub fn sock_of(socket: *const u8) -> *const u8 {
    // SAFETY: `socket` is a typed argument.
    unsafe { Typed::read::<u64>(socket, offset!(socket_sk)) as *const u8 }
}
