//! This CPU's own ring of records, in an array that user space maps: no call, no lock, no cache line that another CPU
//! writes.
//!
//! What runs with bottom halves off is never interrupted by anything else of ours on the same CPU, so a ring has one
//! writer and one reader. What does not ([`Context::Process`]) writes into the kernel's ring buffer. The one exception is a
//! SYN-ACK of a Fast Open child that is sent again out of the socket's backlog: so a ring that is being written says so.
//!
//! The number of records is written after the record. That is enough where stores become visible in their order, as
//! on x86; elsewhere there are no such rings, because BPF has no barrier before 5.12.

use core::arch::asm;

use queue_trace_common::{Ends, Record};

use crate::config::config;
use crate::maps;

/// In which context something is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// With bottom halves off.
    Packet,
    /// A process's, which packets interrupt.
    Process,
}

/// Whether a record may go into this CPU's own ring.
#[inline(always)]
pub fn takes(ends: &Ends, context: Context) -> bool {
    config!(ring) != 0 && matches!(context, Context::Packet) && ends.writing == 0
}

/// How many records are there that the reader has not read.
#[inline(always)]
pub fn queued(ends: &Ends) -> u64 {
    // SAFETY: an aligned word, which the reader writes.
    ends.written.wrapping_sub(unsafe { (&raw const ends.read).read_volatile() })
}

/// Where the next record goes, if there is room for one; nothing only for the verifier. To be followed by [`publish`].
#[inline(always)]
pub fn next(ends: &mut Ends) -> Option<*mut Record> {
    let size = u64::from(config!(ring));
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
