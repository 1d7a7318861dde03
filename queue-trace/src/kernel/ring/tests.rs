//! What is decoded, and in which order it is handed over.

use std::sync::atomic::Ordering::{Acquire, Release};

use aya::maps::{Array, Map, MapData};
use queue_trace_common::Ends;

use super::super::maps::MMAPABLE;
use super::super::shared::Shared;
use super::*;

const CPUS: u32 = 2;
const SIZE: u64 = 8;

/// What the kernel side does with the rings.
struct Writer {
    passes: Shared<own::Pass>,
    records: Shared<Record>,
}

impl Writer {
    /// Nothing where maps cannot be made.
    fn with_queues() -> Option<(Self, Queues)> {
        let array = |value, entries| {
            let map = aya_obj::Map::new_from_params(2, 4, value, entries, MMAPABLE);
            MapData::create(map, "TEST", None)
        };
        let passes = array(size_of::<own::Pass>() as u32, CPUS).ok()?;
        let records = array(Record::SIZE as u32, CPUS * SIZE as u32).ok()?;
        let writer = Self {
            passes: Shared::within(&passes, CPUS).unwrap(),
            records: Shared::within(&records, CPUS * SIZE as u32).unwrap(),
        };
        let records = Array::try_from(Map::Array(records)).unwrap();
        let shared = Shared::new(&records).unwrap();
        let rings = Rings::new(&Map::Array(passes), shared, CPUS).unwrap();
        Some((writer, Queues { buffered: VecDeque::new(), rings }))
    }

    /// Writes a record; whether there was room.
    fn write(&self, cpu: u32, time_ns: u64) -> bool {
        let word = |offset| self.passes.word(cpu, offset / 8);
        let written = word(std::mem::offset_of!(Ends, written)).load(Acquire);
        let first = word(std::mem::offset_of!(Ends, first)).load(Acquire);
        if written - word(std::mem::offset_of!(Ends, read)).load(Acquire) >= SIZE {
            return false;
        }
        self.records.set((first + written % SIZE) as u32, record(time_ns, cpu));
        word(std::mem::offset_of!(Ends, written)).store(written + 1, Release);
        true
    }
}

fn record(time_ns: u64, slot: u32) -> Record {
    Record { time_ns, slot, ..Record::default() }
}

impl Queues {
    fn look(&mut self) {
        self.rings.cpus().for_each(|cpu| self.rings.look(cpu));
    }

    /// Times and slots of what is handed over.
    fn handed(&mut self, until_ns: u64) -> Vec<(u64, u32)> {
        let mut handed = Vec::new();
        self.hand_over(until_ns, |record| {
            handed.push((record.time_ns, record.slot));
            true
        });
        handed
    }
}

#[test]
fn records_of_all_cpus_come_in_the_order_of_time_and_the_newest_wait() {
    let Some((writer, mut queues)) = Writer::with_queues() else { return };
    for (cpu, time_ns) in [(0, 10), (0, 30), (1, 20), (1, 50)] {
        assert!(writer.write(cpu, time_ns));
    }
    queues.buffered.extend([record(25, 7), record(60, 7)]);
    queues.look();
    // Written after the look.
    writer.write(0, 31);
    assert_eq!(queues.handed(50), [(10, 0), (20, 1), (25, 7), (30, 0)]);
    queues.look();
    assert_eq!(queues.handed(70), [(31, 0), (50, 1), (60, 7)]);
    assert!(matches!(queues.hand_over(80, |_| true), Handed::Nothing));
}

#[test]
fn a_full_ring_takes_no_more_until_it_is_read_and_goes_round() {
    let Some((writer, mut queues)) = Writer::with_queues() else { return };
    let mut time_ns = 0;
    for _ in 0..100 {
        let mut written = Vec::new();
        while writer.write(1, time_ns) {
            written.push((time_ns, 1));
            time_ns += 1;
        }
        assert_eq!(written.len() as u64, SIZE);
        queues.look();
        assert_eq!(queues.handed(u64::MAX), written);
    }
}

#[test]
fn what_is_not_wanted_any_more_is_there_the_next_time() {
    let Some((writer, mut queues)) = Writer::with_queues() else { return };
    (1..=3).for_each(|time_ns| assert!(writer.write(0, time_ns)));
    queues.look();
    assert!(matches!(queues.hand_over(10, |record| record.time_ns < 2), Handed::Some));
    assert_eq!(queues.handed(10), [(3, 0)]);
}

#[test]
fn what_another_clock_has_stamped_waits_for_nothing() {
    let Some((writer, mut queues)) = Writer::with_queues() else { return };
    writer.write(0, 5 + APART_NS);
    queues.look();
    assert_eq!(queues.handed(6), []);
    assert_eq!(queues.handed(5), [(5 + APART_NS, 0)]);
}

#[test]
fn how_far_a_ring_was_read_is_told_when_reading_stops_early() {
    let Some((writer, mut queues)) = Writer::with_queues() else { return };
    (1..=3).for_each(|time_ns| assert!(writer.write(0, time_ns)));
    queues.look();
    queues.hand_over(10, |record| record.time_ns < 2);
    let read = writer.passes.word(0, std::mem::offset_of!(Ends, read) / 8).load(Acquire);
    assert_eq!(read, 2);
}

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
