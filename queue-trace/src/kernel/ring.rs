//! The ring buffer of records.

use std::io;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};
use bytes::Buf;
use queue_trace_common::{COMM_LENGTH, Record, WAKE_NS};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout_at};

/// How long after a wake-up there may be records that nobody is woken for, with something to spare.
const LOOK_AGAIN: Duration = Duration::from_nanos(WAKE_NS + WAKE_NS / 4);
/// How often to look when nothing comes: a record whose writer was held up may have come after the last look.
const SELDOM: Duration = Duration::from_secs(1);

/// Reads records as they come.
pub struct Records {
    ring: AsyncFd<RingBuf<MapData>>,
    /// When to look without being woken.
    again: Instant,
}

impl Records {
    /// Takes a ring buffer over; must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be polled.
    pub fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        // SAFETY: `RingBuf` owns its descriptor, keeps it open until it is dropped, and always
        // answers with the same one.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { ring, again: Instant::now() })
    }

    /// Waits for records and hands over what is there; stops early when `each` says so.
    ///
    /// # Errors
    ///
    /// When waiting fails.
    pub async fn read(&mut self, mut each: impl FnMut(Record) -> bool) -> io::Result<()> {
        let Self { ring, again } = self;
        let mut some = false;
        let mut each = |record| {
            some = true;
            each(record)
        };
        if let Ok(ready) = timeout_at(*again, ring.readable_mut()).await {
            let mut ready = ready?;
            if drain(ready.get_inner_mut(), &mut each) {
                // Everything was read: only now may the readiness be taken back.
                ready.clear_ready();
            }
        } else {
            drain(ring.get_mut(), &mut each);
        }
        *again = Instant::now() + if some { LOOK_AGAIN } else { SELDOM };
        Ok(())
    }

    /// Hands over what is there without waiting.
    pub fn rest(&mut self, mut each: impl FnMut(Record) -> bool) {
        drain(self.ring.get_mut(), &mut each);
    }
}

/// Whether everything was read.
fn drain(ring: &mut RingBuf<MapData>, each: &mut impl FnMut(Record) -> bool) -> bool {
    while let Some(item) = ring.next() {
        let record = decode(&item);
        drop(item);
        if let Some(record) = record
            && !each(record)
        {
            return false;
        }
    }
    true
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
mod tests {
    use super::*;

    #[test]
    fn every_field_comes_from_its_place() {
        let bytes: Vec<u8> = (0..Record::SIZE as u8).collect();
        let record = decode(&bytes).unwrap();
        assert_eq!(record.time_ns, u64::from_ne_bytes([0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(record.client_address[0], std::mem::offset_of!(Record, client_address) as u8);
        assert_eq!(record.comm[0], std::mem::offset_of!(Record, comm) as u8);
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(record.slot, word(std::mem::offset_of!(Record, slot)));
        assert_eq!(record.pid, word(std::mem::offset_of!(Record, pid)));
        assert_eq!(record.accept_depth, word(std::mem::offset_of!(Record, accept_depth)));
        assert_eq!(record.syn_depth, word(std::mem::offset_of!(Record, syn_depth)));
        assert_eq!(record.limit, word(std::mem::offset_of!(Record, limit)));
        assert_eq!(record.detail, word(std::mem::offset_of!(Record, detail)));
        let port = std::mem::offset_of!(Record, client_port);
        assert_eq!(record.client_port, u16::from_ne_bytes([bytes[port], bytes[port + 1]]));
        assert_eq!(record.outcome, std::mem::offset_of!(Record, outcome) as u8);
        assert_eq!(record.client_version, std::mem::offset_of!(Record, client_version) as u8);
    }

    #[test]
    fn too_few_bytes_are_nothing() {
        assert_eq!(decode(&[0; Record::SIZE - 1]), None);
    }
}
