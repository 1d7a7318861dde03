//! This CPU's own ring of records, in an array that user space maps: no call, no lock, no cache line that another CPU
//! writes.
//!
//! What runs with bottom halves off is never interrupted by anything else of ours on the same CPU, so a ring has one
//! writer and one reader. What does not ([`in_process`]) writes into the kernel's ring buffer. The one exception is a
//! SYN-ACK of a Fast Open child that is sent again out of the socket's backlog: so a ring that is being written says so.
//!
//! The number of records is written after the record. That is enough where stores become visible in their order, as
//! on x86; elsewhere there are no such rings, because BPF has no barrier before 5.12.

use core::arch::asm;

use queue_trace_common::{Ends, Outcome, Record};

use crate::config::config;
use crate::maps;

/// Outcomes that are told in process context with bottom halves on.
const IN_PROCESS: u64 = 1 << Outcome::AcceptEmfile as u64
    | 1 << Outcome::AcceptEnfile as u64
    | 1 << Outcome::AcceptEagain as u64
    | 1 << Outcome::AcceptEintr as u64
    | 1 << Outcome::AcceptOther as u64
    | 1 << Outcome::Listen as u64
    | 1 << Outcome::BacklogChanged as u64
    | 1 << Outcome::Close as u64;

/// And those that are where `security_sock_graft` is not hooked.
const ACCEPTED: u64 = 1 << Outcome::Accepted as u64 | 1 << Outcome::AcceptedReset as u64;

/// Whether an outcome is told in process context.
#[inline(always)]
fn in_process(outcome: Outcome) -> bool {
    let bit = 1 << outcome as u64;
    IN_PROCESS & bit != 0 || ACCEPTED & bit != 0 && config!(no_graft) != 0
}

/// Whether a record of this outcome may go into this CPU's own ring.
#[inline(always)]
pub fn takes(ends: &Ends, outcome: Outcome) -> bool {
    config!(ring) != 0 && !in_process(outcome) && ends.writing == 0
}

/// How many records are there that the reader has not read.
#[inline(always)]
pub fn queued(ends: &Ends) -> u64 {
    // SAFETY: an aligned word, which the reader writes.
    ends.written.wrapping_sub(unsafe { (&raw const ends.read).read_volatile() })
}

/// Where the next record goes; nothing where there is no room. To be followed by [`publish`].
#[inline(always)]
pub fn next(ends: &mut Ends) -> Option<*mut Record> {
    let size = u64::from(config!(ring));
    if queued(ends) >= size {
        return None;
    }
    let record = maps::RINGS.get_ptr_mut((ends.first + (ends.written & (size - 1))) as u32)?;
    ends.writing = 1;
    in_order();
    Some(record)
}

/// Lets the reader have the record.
#[inline(always)]
pub fn publish(ends: &mut Ends) {
    in_order();
    // SAFETY: an aligned word, which the reader reads.
    unsafe { (&raw mut ends.written).write_volatile(ends.written + 1) };
    in_order();
    ends.writing = 0;
}

/// Keeps the compiler from moving what is written before behind it, or the other way round.
#[inline(always)]
fn in_order() {
    // SAFETY: no instruction.
    unsafe { asm!("", options(nostack, preserves_flags)) };
}
