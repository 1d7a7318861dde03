//! Connections that leave the accept queue: accepted, or abandoned with their listener.

use queue_trace_common::Outcome;

use crate::config::{config, has, member, offset};
use crate::gauge::{self, Queue};
use crate::listener::Listener;
use crate::memory::{Memory, Probed, Typed};
use crate::pass::{self, Kind, Pass, seen};
use crate::report::Timed;
use crate::ring::Context;
use crate::{entry, listener, maps, migrate, packet, report, workers};

/// `TCP_CLOSE`: where a child is whose client has reset the connection.
const TCP_CLOSE: u8 = 7;
/// `IPPROTO_MPTCP`.
pub const MPTCP: u16 = 262;

/// The TCP socket that does the listening, or that was established, of what may be an MPTCP socket.
#[inline(always)]
pub fn subflow<M: Memory>(sk: *const u8) -> *const u8 {
    if !has!(first_subflow) {
        return sk;
    }
    // SAFETY: `sk` is a socket.
    if unsafe { member!(M, sk, protocol: u16) } == MPTCP { first_subflow(sk) } else { sk }
}

/// The first TCP socket of an MPTCP socket.
#[inline(always)]
pub fn first_subflow(sk: *const u8) -> *const u8 {
    // SAFETY: an MPTCP socket; the member lies behind the declared `sock`.
    unsafe { Probed::read::<u64>(sk, offset!(first_subflow)) as *const u8 }
}

/// A child was accepted from this listener; a null socket for one that is not known.
///
/// No pass of a packet: what has been gathered is none of its business, but `pass` has this CPU's ring.
#[inline(always)]
pub fn accepted<M: Memory>(pass: &mut Pass, listener: Listener, sk: *const u8, child: *const u8) {
    gauge::left::<Probed>(listener, sk, Queue::Accept);
    // SAFETY: `child` is a socket.
    let state: u8 = unsafe { member!(M, child, state) };
    let outcome = if state == TCP_CLOSE { Outcome::AcceptedReset } else { Outcome::Accepted };
    // Each apart, so that the compiler knows which counter it is.
    if state == TCP_CLOSE {
        report::count(listener, Outcome::AcceptedReset);
    } else {
        report::count(listener, Outcome::Accepted);
    }
    let now_ns = report::now();
    let wait_ns = entry::waited_ns::<M>(child, now_ns);
    report::time(listener, Timed::Wait, wait_ns, report::microseconds(wait_ns));
    workers::accepted(listener);
    if !report::wanted(listener, outcome) {
        return;
    }
    // See `graft`.
    let context = if config!(no_graft) != 0 { Context::Process } else { Context::Packet };
    report::stream::<Probed>(pass, listener, sk, context, outcome, now_ns, |record, _| {
        report::set_client(record, &packet::peer::<M>(child));
        report::set_process(record);
        record.duration_ns = wait_ns;
    });
}

/// `inet_child_forget`: the listener closes with this child still waiting.
#[inline(always)]
pub fn forgotten<M: Memory>(sk: *const u8, request: *const u8, child: *const u8) {
    if !maps::armed() {
        return;
    }
    let Some(pass) = pass::current() else { return };
    if pass.kind != Kind::None as u32 {
        // A child that could not be queued: it never waited.
        pass.seen |= seen::QUEUE_CLOSED;
        return;
    }
    let cloned = pass.clone != 0 && pass.clone == request as u64;
    let sk = if cloned { migrate::lost::<M>(pass, sk) } else { sk };
    // The child leaves the queue of this listener for good. One record for both, which the verifier sees once: this is rare.
    let listener = listener::find::<Probed>(sk);
    gauge::left::<Probed>(listener, sk, Queue::Accept);
    report::report::<Probed>(listener, sk, Outcome::AbandonedListenerClosed, |record| {
        report::set_client(record, &packet::peer::<M>(child));
        record.duration_ns = entry::waited_ns::<M>(child, record.time_ns);
    });
}

/// The `struct sock` of a `struct socket`, typed for the verifier.
#[inline(always)]
pub fn sock_of(socket: *const u8) -> *const u8 {
    // SAFETY: `socket` is a typed argument.
    unsafe { member!(Typed, socket, socket_sk: u64) as *const u8 }
}
