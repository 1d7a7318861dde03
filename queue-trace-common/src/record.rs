//! What the rings carry.

use crate::COMM_LENGTH;

/// How often a CPU that writes records wakes the reader, nanoseconds. Whoever is woken looks again when that
/// has passed.
pub const WAKE_NS: u64 = 10_000_000;

/// The ends of a CPU's own ring, at the beginning of what is known of its pass ([`crate::PASS_BYTES`]): numbers of
/// records since the ring was made. What the kernel side writes and what the reader writes lie apart, in cache lines
/// of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Ends {
    /// How many were written.
    pub written: u64,
    /// Not 0 while one is being written.
    pub writing: u64,
    /// Which record of the map is the ring's first; the reader writes it once.
    pub first: u64,
    /// Filler.
    pub reserved: [u64; 5],
    /// How many the reader has done with.
    pub read: u64,
    /// Filler.
    pub rest: [u64; 7],
}

/// How many records a CPU's own ring has, a power of two: so many that all together take 3 to 5 MB, but 160 KiB for
/// each CPU at least.
#[must_use]
pub const fn ring_records(cpus: u32) -> u32 {
    let mut records = 1 << 15;
    while records > 1 << 11 && records * cpus > 1 << 16 {
        records >>= 1;
    }
    records
}

/// The [`allowance`] when the reader keeps up.
pub const UNLIMITED: u32 = u32::MAX;

/// How many records of a kind a CPU may stream within [`WAKE_NS`] while so many of `size` bytes, or records, are
/// queued for the reader and there are so many CPUs. Unlimited up to the half; then 256 for all CPUs together, and a
/// quarter of that with each further eighth, but at least one.
#[inline(always)]
#[must_use]
pub const fn allowance(queued: u64, size: u64, cpus: u32) -> u32 {
    // A division that can fail would be a call.
    let eighths = match queued.checked_div(size / 8) {
        None | Some(0..4) => return UNLIMITED,
        Some(eighths) => eighths,
    };
    let all: u32 = if eighths < 8 { 256 >> (2 * (eighths - 4)) } else { 1 };
    match all.checked_div(cpus) {
        None | Some(0) => 1,
        Some(one) => one,
    }
}

/// One queue event at one listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// When it happened.
    pub time_ns: u64,
    /// How long it took: the wait of an accept, the handshake of an establishment, the age of a
    /// half-open request that ended. 0: not known. Of `listen()`, which takes no time: the backlog
    /// asked for in the low half, `somaxconn` in the high one.
    pub duration_ns: u64,
    /// The client's address; an IPv4 address fills the first four bytes.
    pub client_address: [u8; 16],
    /// Name of the process that called `accept()`, `listen()` or `close()`; zeros elsewhere.
    pub comm: [u8; COMM_LENGTH],
    /// The listener's slot in the maps `LISTENER_INFO` and `COUNTERS`.
    pub slot: u32,
    /// Process (thread group) id, 0 where no process is involved.
    pub pid: u32,
    /// `sk_ack_backlog` of the listener after the event.
    pub accept_depth: u32,
    /// `icsk_accept_queue.qlen` of the listener after the event.
    pub syn_depth: u32,
    /// `sk_max_ack_backlog` of the listener.
    pub limit: u32,
    /// By outcome: number of the retransmission, bytes of data in a final ACK, former limit of a
    /// changed backlog, number of SYN-ACKs resent to an ended request.
    pub detail: u32,
    /// The client's port.
    pub client_port: u16,
    /// [`crate::Outcome`] as a number.
    pub outcome: u8,
    /// The client's family: 4 or 6, 0 where there is no client.
    pub client_version: u8,
    /// The filler that keeps the size a multiple of eight.
    pub reserved: u32,
}

impl Record {
    /// Bytes of one record.
    pub const SIZE: usize = 80;
    /// In the [`Self::detail`] of an ended request: the bit that says that its final ACK had come and
    /// was refused or held back. Below it stands the number of SYN-ACKs sent again.
    pub const ACKED_SHIFT: u32 = 8;
}

const _: () = assert!(size_of::<Record>() == Record::SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_has_a_ring_and_all_together_a_few_megabytes() {
        let of = |cpus| [cpus, ring_records(cpus)];
        assert_eq!(
            [1, 2, 4, 16, 256].map(of),
            [[1, 1 << 15], [2, 1 << 15], [4, 1 << 14], [16, 1 << 12], [256, 1 << 11]]
        );
    }

    #[test]
    fn the_fuller_the_ring_buffer_the_fewer_may_be_streamed() {
        let of = |eighths: u64, cpus| allowance(eighths << 9, 1 << 12, cpus);
        assert_eq!([0, 1, 2, 3].map(|eighths| of(eighths, 2)), [UNLIMITED; 4]);
        assert_eq!([4, 5, 6, 7, 8].map(|eighths| of(eighths, 1)), [256, 64, 16, 4, 1]);
        assert_eq!([4, 5, 6, 7, 8].map(|eighths| of(eighths, 16)), [16, 4, 1, 1, 1]);
        assert_eq!([allowance(2047, 4096, 1), allowance(2048, 4096, 1)], [UNLIMITED, 256]);
    }
}
