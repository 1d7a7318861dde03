//! Records as they come: out of the ring of each CPU, and out of the kernel's ring buffer, in the order of time.
//!
//! An order that holds: of two records of which one is a consequence of the other, the first one is handed over first,
//! whichever rings they are in. What is newer than the beginning of a look waits for the next one, because what it
//! follows from may have been missed in a ring that was looked at before.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use bytes::Buf;
use queue_trace_common::{COMM_LENGTH, Record, WAKE_NS};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

use super::clock::monotonic_ns;
use own::Rings;

pub mod own;

/// How long after a wake-up there may be records that nobody is woken for, with something to spare.
const LOOK_AGAIN: Duration = Duration::from_nanos(WAKE_NS + WAKE_NS / 4);
/// How often to look when nothing comes: a record whose writer was held up may have come after the last look.
const SELDOM: Duration = Duration::from_secs(1);
/// What is newer than the beginning of a look by more than this was stamped by another clock (`time_namespaces(7)`),
/// and waits for nothing.
const APART_NS: u64 = 1_000_000_000;

/// Reads records as they come.
pub struct Records {
    buffer: AsyncFd<RingBuf<MapData>>,
    queues: Queues,
    /// When to look without being woken.
    again: Instant,
}

impl Records {
    /// Takes a ring buffer and the rings of the CPUs over; must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be polled.
    pub fn new(buffer: RingBuf<MapData>, rings: Rings) -> io::Result<Self> {
        // SAFETY: `RingBuf` owns its descriptor, keeps it open until it is dropped, and always
        // answers with the same one.
        let buffer = unsafe { AsyncFd::register_with_interest(buffer, Interest::READABLE) }
            .map_err(|error| io::Error::other(error.to_string()))?;
        let queues = Queues { buffered: VecDeque::new(), rings };
        Ok(Self { buffer, queues, again: Instant::now() })
    }

    /// Waits for records and hands over what is there; stops early when `each` says so.
    ///
    /// # Errors
    ///
    /// When waiting fails.
    pub async fn read(&mut self, each: impl FnMut(Record) -> bool) -> io::Result<()> {
        let Self { buffer, queues, again } = self;
        let now_ns;
        if let Ok(ready) = timeout_at(*again, buffer.readable_mut()).await {
            let mut ready = ready?;
            now_ns = monotonic_ns();
            queues.fill(ready.get_inner_mut());
            // Everything was read: only now may the readiness be taken back.
            ready.clear_ready();
        } else {
            now_ns = monotonic_ns();
            queues.fill(buffer.get_mut());
        }
        *again = match queues.hand_over(now_ns, each) {
            Handed::Nothing => Instant::now() + SELDOM,
            Handed::All => Instant::now() + LOOK_AGAIN,
            Handed::Some => Instant::now(),
        };
        Ok(())
    }

    /// Hands over what is there without waiting, also the newest.
    pub fn rest(&mut self, mut each: impl FnMut(Record) -> bool) {
        for until_ns in [monotonic_ns(), u64::MAX] {
            self.queues.fill(self.buffer.get_mut());
            self.queues.hand_over(until_ns, &mut each);
        }
    }
}

/// What is there and not handed over.
struct Queues {
    /// Out of the ring buffer, the oldest first.
    buffered: VecDeque<Record>,
    /// In the rings.
    rings: Rings,
}

/// What was handed over.
enum Handed {
    Nothing,
    All,
    /// Not those that are too new, or not wanted any more.
    Some,
}

impl Queues {
    /// Takes everything out of the ring buffer, and looks how far the rings are written.
    fn fill(&mut self, buffer: &mut RingBuf<MapData>) {
        let mut some = false;
        while let Some(item) = buffer.next() {
            self.buffered.extend(decode(&item));
            some = true;
        }
        if some {
            // Those of different CPUs are in the order in which they found room.
            self.buffered.make_contiguous().sort_by_key(|record| record.time_ns);
        }
        self.rings.cpus().for_each(|cpu| self.rings.look(cpu));
    }

    /// Hands over what is older than that, in the order of time.
    fn hand_over(&mut self, until_ns: u64, mut each: impl FnMut(Record) -> bool) -> Handed {
        let all = self.rings.cpus().map(Queue::Ring).chain([Queue::Buffer]);
        let with_time = |queue| self.oldest(queue).map(|time_ns| Reverse((time_ns, queue)));
        let mut queues: BinaryHeap<_> = all.filter_map(with_time).collect();
        if queues.is_empty() {
            return Handed::Nothing;
        }
        let mut wanted = true;
        while wanted
            && let Some(mut next) = queues.peek_mut()
            && !(until_ns..until_ns.saturating_add(APART_NS)).contains(&next.0.0)
        {
            let queue = next.0.1;
            let record = self.take(queue);
            match self.oldest(queue) {
                Some(time_ns) => next.0.0 = time_ns,
                None => drop(PeekMut::pop(next)),
            }
            wanted = record.is_none_or(&mut each);
        }
        self.rings.cpus().for_each(|cpu| self.rings.tell(cpu));
        if queues.is_empty() { Handed::All } else { Handed::Some }
    }

    fn oldest(&self, queue: Queue) -> Option<u64> {
        match queue {
            Queue::Ring(cpu) => self.rings.oldest(cpu),
            Queue::Buffer => self.buffered.front().map(|record| record.time_ns),
        }
    }

    fn take(&mut self, queue: Queue) -> Option<Record> {
        match queue {
            Queue::Ring(cpu) => self.rings.take(cpu),
            Queue::Buffer => self.buffered.pop_front(),
        }
    }
}

/// Where a record waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Queue {
    Ring(usize),
    Buffer,
}

/// A record from its bytes; nothing if they are too few.
///
/// Field by field in the order of the layout: no copy of kernel memory is trusted to be a `Record`.
#[must_use]
pub fn decode(mut bytes: &[u8]) -> Option<Record> {
    if bytes.len() < Record::SIZE {
        return None;
    }
    let mut record = Record { time_ns: bytes.get_u64_ne(), ..Record::default() };
    record.duration_ns = bytes.get_u64_ne();
    bytes.copy_to_slice(&mut record.client_address);
    let mut comm = [0; COMM_LENGTH];
    bytes.copy_to_slice(&mut comm);
    record.comm = comm;
    record.slot = bytes.get_u32_ne();
    record.pid = bytes.get_u32_ne();
    record.accept_depth = bytes.get_u32_ne();
    record.syn_depth = bytes.get_u32_ne();
    record.limit = bytes.get_u32_ne();
    record.detail = bytes.get_u32_ne();
    record.client_port = bytes.get_u16_ne();
    record.outcome = bytes.get_u8();
    record.client_version = bytes.get_u8();
    Some(record)
}

#[cfg(test)]
mod tests;
