//! Counting an outcome, and streaming its record.

use core::arch::asm;
use core::intrinsics::is_val_statically_known;

use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_ringbuf_submit};
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use queue_trace_common::{
    BUCKETS, COMM_LENGTH, DIGITS, LISTENER_STREAMS, Outcome, Record, Tally, bucket_by,
};

use crate::config::config;
use crate::flow::Way;
use crate::listener::Listener;
use crate::memory::Memory;
use crate::pass::{Client, Pass};
use crate::ring::Context;
use crate::{flow, gauge, maps, packet, pass, ring};

/// Counts an outcome at a listener and, if somebody wants to see it, streams a record that `fill`
/// completes. The count is exact whatever becomes of the record.
#[inline(always)]
pub fn report<M: Memory>(
    listener: Listener,
    sk: *const u8,
    outcome: Outcome,
    fill: impl FnOnce(&mut Record),
) {
    report_in::<M>(Context::Packet, listener, sk, outcome, fill);
}

/// The same within a pass, which `fill` is given.
#[inline(always)]
pub fn report_within<M: Memory>(
    pass: &mut Pass,
    listener: Listener,
    sk: *const u8,
    outcome: Outcome,
    fill: impl FnOnce(&mut Record, &Pass),
) {
    if let Some(index) = index(outcome) {
        count_at(listener, index);
    }
    if wanted(listener, outcome) {
        stream::<M>(pass, listener, sk, Context::Packet, outcome, now(), fill);
    }
}

/// The same in process context.
#[inline(always)]
pub fn report_in_process<M: Memory>(
    listener: Listener,
    sk: *const u8,
    outcome: Outcome,
    fill: impl FnOnce(&mut Record),
) {
    report_in::<M>(Context::Process, listener, sk, outcome, fill);
}

#[inline(always)]
fn report_in<M: Memory>(
    context: Context,
    listener: Listener,
    sk: *const u8,
    outcome: Outcome,
    fill: impl FnOnce(&mut Record),
) {
    if let Some(index) = index(outcome) {
        count_at(listener, index);
    }
    if wanted(listener, outcome)
        && let Some(pass) = pass::current()
    {
        stream::<M>(pass, listener, sk, context, outcome, now(), |record, _| fill(record));
    }
}

/// Whether somebody wants to see the records of this outcome at this listener.
#[inline(always)]
pub fn wanted(listener: Listener, outcome: Outcome) -> bool {
    config!(stream) != 0
        && listener.flags & LISTENER_STREAMS != 0
        && config!(stream) & (1 << outcome as u64) != 0
}

/// Streams a record that is [`wanted`].
#[inline(always)]
pub fn stream<M: Memory>(
    pass: &mut Pass,
    listener: Listener,
    sk: *const u8,
    context: Context,
    outcome: Outcome,
    now_ns: u64,
    fill: impl FnOnce(&mut Record, &Pass),
) {
    let Some(way) = flow::admits(pass, context, outcome, now_ns) else { return };
    let Some((record, reserved)) = reserve(pass, way) else {
        index(outcome).into_iter().for_each(maps::shed);
        return;
    };
    // SAFETY: there is room for one record; all of it is written before anybody has it.
    unsafe {
        let (accept_depth, limit) = gauge::accept_depth::<M>(sk);
        let syn_depth = gauge::syn_depth::<M>(sk);
        clear(record);
        (*record).time_ns = now_ns;
        (*record).slot = listener.slot;
        (*record).outcome = outcome as u8;
        ((*record).accept_depth, (*record).limit) = (accept_depth, limit);
        (*record).syn_depth = syn_depth;
        fill(&mut *record, pass);
    }
    if reserved == 0 {
        ring::publish(&mut pass.ring);
    } else {
        // SAFETY: what `reserve` was given, submitted once.
        unsafe {
            let flags = (&raw const pass.flow.flags).read_volatile();
            bpf_ringbuf_submit(record.cast(), flags.into());
        }
    }
}

/// Room for a record, and not 0 where it is the ring buffer's and has to be submitted.
#[inline(always)]
fn reserve(pass: &mut Pass, way: Way) -> Option<(*mut Record, u64)> {
    let (record, mut reserved) = match way {
        Way::Own => (ring::next(&mut pass.ring)?, 0),
        Way::Wake => match maps::RECORDS.reserve::<Record>(0) {
            Some(mut entry) => (entry.as_mut_ptr(), 1),
            None => (ring::next(&mut pass.ring)?, 0),
        },
        Way::Buffer => (maps::RECORDS.reserve::<Record>(0)?.as_mut_ptr(), 1),
    };
    // SAFETY: it stays as it is. Else the compiler asks for the way again, which the verifier does not connect with it,
    // or for the pointer, which it takes for one that may be null.
    unsafe { asm!("{0} = {0}", inout(reg) reserved, options(pure, nomem, nostack)) };
    Some((record, reserved))
}

/// Now, on the monotonic clock.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Writes zeros where not every record has something else. By the word, each for itself: the compiler would make one call
/// of those that lie side by side, which writes bytes.
#[inline(always)]
unsafe fn clear(record: *mut Record) {
    // SAFETY: members of a record that the caller has room for.
    unsafe {
        (&raw mut (*record).duration_ns).write_volatile(0);
        let address = (&raw mut (*record).client_address).cast::<u64>();
        (address.write_volatile(0), address.add(1).write_volatile(0));
        let comm = (&raw mut (*record).comm).cast::<u64>();
        (comm.write_volatile(0), comm.add(1).write_volatile(0));
        ((*record).pid, (*record).detail, (*record).reserved) = (0, 0, 0);
        ((*record).client_port, (*record).client_version) = (0, 0);
    }
}

/// Counts an outcome without a record.
#[inline(always)]
pub fn count(listener: Listener, outcome: Outcome) {
    count_at(listener, outcome as usize);
}

/// Counts the outcome of an index that the verifier knows to be one.
#[inline(always)]
fn count_at(listener: Listener, index: usize) {
    if let Some(counters) = listener.counters() {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*counters).outcomes.as_mut_ptr().add(index) += 1 };
    }
}

/// The index of an outcome. Where the compiler does not know which outcome it is, the way to it is so long that the
/// verifier does not follow it; there it is shown that it is one, at each use: Linux 5.10 forgets it once the index lies
/// on the stack.
#[inline(always)]
pub fn index(outcome: Outcome) -> Option<usize> {
    let mut index = outcome as usize;
    if is_val_statically_known(index) {
        return Some(index);
    }
    // SAFETY: it stays as it is; but the compiler knows that an outcome is one, and would leave the comparison out.
    unsafe { asm!("{index} = {index}", index = inout(reg) index, options(pure, nomem, nostack)) };
    (index < Outcome::COUNT).then_some(index)
}

/// Counts something beside an outcome.
#[inline(always)]
pub fn tally(listener: Listener, kind: Tally) {
    if let Some(counters) = listener.counters() {
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

/// A time in whole microseconds. Those below four seconds are multiplied by the inverse, which takes half of what
/// dividing does.
#[inline(always)]
pub fn microseconds(nanoseconds: u64) -> u64 {
    if nanoseconds < 1 << 32 { nanoseconds * 274_877_907 >> 38 } else { nanoseconds / 1000 }
}

/// Counts how long something took; the microseconds are of the same time.
#[inline(always)]
pub fn time(listener: Listener, timed: Timed, nanoseconds: u64, microseconds: u64) {
    let bucket = bucket_by(microseconds, |byte| {
        // SAFETY: within the table.
        unsafe { (&raw const DIGITS).cast::<u8>().add(masked::<255>(byte)).read() }.into()
    });
    if let Some(counters) = listener.counters() {
        // SAFETY: this CPU's own value, and the index is that of a bucket.
        unsafe {
            let times = match timed {
                Timed::Wait => &raw mut (*counters).waits,
                Timed::Handshake => &raw mut (*counters).handshakes,
            };
            (*times).sum_ns += nanoseconds;
            let bucket = masked::<{ BUCKETS as u64 - 1 }>(bucket as u64);
            *(&raw mut (*times).buckets).cast::<u64>().add(bucket) += 1;
        }
    }
}

/// An index, of which the compiler may know that the mask changes nothing; the verifier does not.
#[inline(always)]
fn masked<const MASK: u64>(mut index: u64) -> usize {
    // SAFETY: arithmetic.
    unsafe {
        asm!("{index} &= {mask}", index = inout(reg) index, mask = const MASK, options(pure, nomem, nostack));
    }
    index as usize
}

/// Takes a count back: what it told of did not come to pass. The sum over CPUs is right even where
/// this CPU's part goes below zero.
#[inline(always)]
pub fn uncount(listener: Listener, outcome: Outcome) {
    if let Some(counters) = listener.counters() {
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
    if let Some(counters) = listener.counters() {
        // SAFETY: as in `tally`.
        unsafe {
            let count = (*counters).tallies.as_mut_ptr().add(kind as usize);
            *count = (*count).wrapping_sub(1);
        }
    }
}

/// Names the client in a record.
#[inline(always)]
pub fn set_client(record: &mut Record, client: &Client) {
    packet::put_all(&mut record.client_address, client.address);
    record.client_port = client.port;
    record.client_version = client.version;
}

/// Names the calling process in a record.
#[inline(always)]
pub fn set_process(record: &mut Record) {
    record.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the helper writes as many bytes as it is told, or none. Into the record, because a name that is handed
    // over is cleared by a call before, and copied.
    unsafe { bpf_get_current_comm(record.comm.as_mut_ptr().cast(), COMM_LENGTH as u32) };
}
