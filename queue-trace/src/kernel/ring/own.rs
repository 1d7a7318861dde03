//! The ring of records that each CPU has of its own.

use std::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{Map, MapData, MapError};
use queue_trace_common::{Ends, PASS_BYTES, Record};

use super::super::shared::Shared;
use super::decode;

/// After so many records the kernel side is told that there is room again. It may need that soon, but each time costs
/// it a cache line.
const TELL_EVERY: u64 = 64;

/// Which words of [`Ends`] they are.
const WRITTEN: usize = offset_of!(Ends, written) / size_of::<u64>();
const FIRST: usize = offset_of!(Ends, first) / size_of::<u64>();
const READ: usize = offset_of!(Ends, read) / size_of::<u64>();
/// Which word of a record is its time.
const TIME: usize = offset_of!(Record, time_ns) / size_of::<u64>();

/// What a CPU knows of its pass; it begins with the ends of its ring.
pub type Pass = [u8; PASS_BYTES];

/// The rings of all CPUs, each in the order of time.
pub struct Rings {
    passes: Shared<Pass>,
    records: Shared<[u8; Record::SIZE]>,
    /// How many records each has.
    size: u64,
    rings: Vec<Ring>,
}

/// How far a ring has been read, and how far it was written when that was looked at last.
#[derive(Debug, Clone, Copy)]
struct Ring {
    read: u64,
    written: u64,
}

impl Rings {
    /// Takes the rings over, and goes on where they were read to. `records` has those of all CPUs; one for each where
    /// there are no rings.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to share the map.
    pub fn new(
        passes: &Map,
        records: Shared<[u8; Record::SIZE]>,
        cpus: u32,
    ) -> Result<Self, MapError> {
        let passes: &MapData = match passes {
            Map::Array(passes) => passes,
            _ => {
                return Err(MapError::InvalidName {
                    name: super::super::globals::PASSES.to_owned(),
                });
            }
        };
        let passes = Shared::<Pass>::within(passes, cpus)?;
        let size = records.len() / cpus.max(1);
        let each = if size > 1 { 0..cpus } else { 0..0 };
        let rings = each.map(|cpu| {
            passes.word(cpu, FIRST).store((cpu * size).into(), Ordering::Relaxed);
            let read = passes.word(cpu, READ).load(Ordering::Relaxed);
            Ring { read, written: read }
        });
        Ok(Self { rings: rings.collect(), passes, records, size: size.into() })
    }

    /// The CPUs that have one.
    pub fn cpus(&self) -> Range<usize> {
        0..self.rings.len()
    }

    /// Looks how far a ring is written.
    pub fn look(&mut self, cpu: usize) {
        // What was written before that is to be seen, too.
        self.rings[cpu].written = self.passes.word(cpu as u32, WRITTEN).load(Ordering::Acquire);
    }

    /// When the oldest record happened that was there at the last look.
    pub fn oldest(&self, cpu: usize) -> Option<u64> {
        let Ring { read, written } = self.rings[cpu];
        (read != written).then(|| self.word(cpu, read).load(Ordering::Relaxed))
    }

    /// Takes that record.
    pub fn take(&mut self, cpu: usize) -> Option<Record> {
        let bytes = self.records.get(self.place(cpu, self.rings[cpu].read));
        let read = &mut self.rings[cpu].read;
        *read += 1;
        if read.is_multiple_of(TELL_EVERY) {
            self.tell(cpu);
        }
        decode(&bytes)
    }

    /// Tells the kernel side how far the ring was read.
    pub fn tell(&self, cpu: usize) {
        // Only after that it is written anew.
        self.passes.word(cpu as u32, READ).store(self.rings[cpu].read, Ordering::Release);
    }

    fn word(&self, cpu: usize, number: u64) -> &AtomicU64 {
        self.records.word(self.place(cpu, number), TIME)
    }

    fn place(&self, cpu: usize, number: u64) -> u32 {
        (cpu as u64 * self.size + number % self.size) as u32
    }
}
