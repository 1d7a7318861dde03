//! Counting an outcome, and streaming its record.

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use queue_trace_common::{BUCKETS, LISTENER_STREAMS, Outcome, Record, Tally, WAKE_NS, bucket};

use crate::config::{config, offset};
use crate::listener::Listener;
use crate::memory::Memory;
use crate::pass::{self, Client};
use crate::{gauge, maps};

/// Counts an outcome at a listener and, if somebody wants to see it, streams a record that `fill`
/// completes. The count is exact whatever becomes of the record.
#[inline(always)]
pub fn report<M: Memory>(
    listener: Listener,
    sk: *const u8,
    outcome: Outcome,
    fill: impl FnOnce(&mut Record),
) {
    count(listener, outcome);
    if listener.flags & LISTENER_STREAMS == 0 || config!(stream) & (1 << outcome as u64) == 0 {
        return;
    }
    let Some(mut entry) = maps::RECORDS.reserve::<Record>(0) else {
        shed(outcome);
        return;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the helper has no preconditions.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the entry has room for one record; all of it is written before it is submitted.
    unsafe {
        record.write(Record {
            time_ns: now_ns,
            slot: listener.slot,
            outcome: outcome as u8,
            accept_depth: M::read(sk, offset!(accept_depth)),
            limit: M::read(sk, offset!(limit)),
            syn_depth: gauge::syn_depth::<M>(sk),
            ..BLANK
        });
        fill(&mut *record);
    }
    entry.submit(wakes(now_ns));
}

/// Whether this record wakes the reader: the first one of a CPU after [`WAKE_NS`] does. Whoever is woken looks
/// again when that time has passed. To wake at each record would cost more than all the rest.
#[inline(always)]
fn wakes(now_ns: u64) -> u64 {
    let Some(pass) = pass::current() else { return BPF_RB_FORCE_WAKEUP.into() };
    if now_ns.wrapping_sub(pass.woke_ns) < WAKE_NS {
        return BPF_RB_NO_WAKEUP.into();
    }
    pass.woke_ns = now_ns;
    BPF_RB_FORCE_WAKEUP.into()
}

/// All zeros; `Default::default()` would be a call.
const BLANK: Record = Record {
    time_ns: 0,
    duration_ns: 0,
    client_address: [0; 16],
    comm: [0; queue_trace_common::COMM_LENGTH],
    slot: 0,
    pid: 0,
    accept_depth: 0,
    syn_depth: 0,
    limit: 0,
    detail: 0,
    client_port: 0,
    outcome: 0,
    client_version: 0,
    reserved: 0,
};

/// Counts an outcome without a record.
#[inline(always)]
pub fn count(listener: Listener, outcome: Outcome) {
    if let Some(counters) = maps::counters(listener.slot) {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*counters).outcomes.as_mut_ptr().add(outcome as usize) += 1 };
    }
}

/// Counts something beside an outcome.
#[inline(always)]
pub fn tally(listener: Listener, kind: Tally) {
    if let Some(counters) = maps::counters(listener.slot) {
        // SAFETY: this CPU's own value, and the index is that of a tally.
        unsafe { *(*counters).tallies.as_mut_ptr().add(kind as usize) += 1 };
    }
}

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// The wait of a connection that was accepted.
    Wait,
    /// A handshake.
    Handshake,
}

/// Counts how long something took.
#[inline(always)]
pub fn time(listener: Listener, timed: Timed, nanoseconds: u64) {
    let bucket = bucket(nanoseconds);
    if let Some(counters) = maps::counters(listener.slot) {
        // SAFETY: this CPU's own value, and the index is that of a bucket.
        unsafe {
            let times = match timed {
                Timed::Wait => &raw mut (*counters).waits,
                Timed::Handshake => &raw mut (*counters).handshakes,
            };
            (*times).sum_ns += nanoseconds;
            // Read back so that the compiler cannot know that the mask changes nothing: the verifier does not.
            let bucket = (&raw const bucket).read_volatile() % BUCKETS;
            *(&raw mut (*times).buckets).cast::<u64>().add(bucket) += 1;
        }
    }
}

/// Takes a count back: what it told of did not come to pass. The sum over CPUs is right even where
/// this CPU's part goes below zero.
#[inline(always)]
pub fn uncount(listener: Listener, outcome: Outcome) {
    if let Some(counters) = maps::counters(listener.slot) {
        // SAFETY: as in `count`.
        unsafe {
            let count = (*counters).outcomes.as_mut_ptr().add(outcome as usize);
            *count = (*count).wrapping_sub(1);
        }
    }
}

/// As [`uncount`], for a tally.
#[inline(always)]
pub fn untally(listener: Listener, kind: Tally) {
    if let Some(counters) = maps::counters(listener.slot) {
        // SAFETY: as in `tally`.
        unsafe {
            let count = (*counters).tallies.as_mut_ptr().add(kind as usize);
            *count = (*count).wrapping_sub(1);
        }
    }
}

#[inline(always)]
fn shed(outcome: Outcome) {
    if let Some(troubles) = maps::troubles() {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*troubles).shed.as_mut_ptr().add(outcome as usize) += 1 };
    }
}

/// Names the client in a record.
#[inline(always)]
pub fn set_client(record: &mut Record, client: &Client) {
    record.client_address = client.address;
    record.client_port = client.port;
    record.client_version = client.version;
}

/// Names the calling process in a record.
#[inline(always)]
pub fn set_process(record: &mut Record) {
    record.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    record.comm = bpf_get_current_comm().unwrap_or_default();
}
