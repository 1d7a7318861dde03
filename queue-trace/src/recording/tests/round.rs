//! What is written is read again.

use proptest::collection::vec;
use proptest::prelude::*;
use queue_trace_common::{COMM_LENGTH, ListenerInfo, Outcome, Record};

use super::super::{Reader, Step, Writer, names};
use super::{Told, made, read, write};
use crate::model::{Listener, QueueEvent, Snapshot, Totals};

#[test]
fn everything_that_was_written_is_read() {
    let seconds = made::seconds();
    let (header, told) = read(&write(&seconds)).unwrap();
    assert_eq!(header, made::header());
    let (events, snapshots): (Vec<_>, Vec<_>) = seconds.into_iter().unzip();
    let events = events.into_iter().flatten().collect();
    assert_eq!(told, Told { events, snapshots, loss: None, unknown: 0 });
}

#[test]
fn what_did_not_change_takes_little_room() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &made::header()).unwrap();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let before = writer.position();
        writer.snapshot(&made::snapshot(1)).unwrap();
        sizes.push(writer.position() - before);
    }
    assert!(sizes[1] * 2 < sizes[0], "{sizes:?}");
    assert_eq!(sizes[1], sizes[2]);
}

#[test]
fn events_beyond_a_block_are_written_before_the_snapshot() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &made::header()).unwrap();
    let (listener, event) = &made::events(1)[1];
    let before = writer.position();
    for _ in 0..40_000 {
        writer.event(listener, event).unwrap();
    }
    assert_eq!(writer.events(), 2 * (1 << 14));
    assert!(writer.position() > before);
    writer.end(false).unwrap();
    drop(writer);
    assert_eq!(read(&bytes).unwrap().1.events.len(), 40_000);
}

#[test]
fn a_reader_that_has_enough_still_gets_the_counters() {
    let bytes = write(&made::seconds());
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut seen = 0;
    while reader
        .read(|_, _| {
            seen += 1;
            false
        })
        .unwrap()
        != Step::Snapshot
    {}
    assert_eq!((seen, reader.snapshot()), (1, made::snapshot(1)));
}

#[test]
fn what_a_later_version_names_is_counted_and_left_out() {
    let bytes = write(&made::seconds()[..1]);
    let (_, whole) = read(&bytes).unwrap();
    // The names stand in the header: this is what a version knows that has other ones.
    let [outcomes, ..] = names::all();
    let strange: Vec<_> = outcomes.iter().map(|name| format!("later {name}")).collect();
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    reader.rename(&strange);
    let mut events = 0;
    while reader
        .read(|_, _| {
            events += 1;
            true
        })
        .unwrap()
        != Step::End
    {}
    assert_eq!(events, 0);
    // The events, the counts, and one each of what was shed, thinned and contradicted, of tallies and of
    // faults.
    let counts =
        whole.snapshots[0].listeners[1].1.outcomes.iter().filter(|count| **count > 0).count();
    assert_eq!(reader.unknown(), (whole.events.len() + counts + 5) as u64);
}

/// Any record that the kernel side could write.
fn record() -> impl Strategy<Value = Record> {
    let numbers = (any::<[u32; 5]>(), any::<[u64; 2]>(), any::<u16>());
    let bytes = (any::<[u8; 16]>(), any::<[u8; COMM_LENGTH]>());
    let kinds = (0..Outcome::COUNT as u8, prop::sample::select(vec![0_u8, 4, 6]));
    (numbers, bytes, kinds).prop_map(|(numbers, (client_address, comm), kinds)| {
        let ([pid, accept_depth, syn_depth, limit, detail], [time_ns, duration_ns], port) = numbers;
        let (outcome, client_version) = kinds;
        Record {
            time_ns,
            duration_ns,
            client_address,
            comm,
            slot: 0,
            pid,
            accept_depth,
            syn_depth,
            limit,
            detail,
            client_port: port,
            outcome,
            client_version,
            reserved: 0,
        }
    })
}

fn listener() -> impl Strategy<Value = Listener> {
    let info = (any::<[u32; 4]>(), any::<[u8; 16]>(), any::<u16>(), any::<bool>());
    (0..4_u32, info).prop_map(|(id, ([pid, limit, asked, somaxconn], address, port, v6))| {
        let family = if v6 { 10 } else { 2 };
        let info = ListenerInfo {
            pid,
            limit,
            asked,
            somaxconn,
            address,
            port,
            family,
            comm: address,
            ..ListenerInfo::default()
        };
        Listener::from_info(id, &info)
    })
}

fn totals() -> impl Strategy<Value = Totals> {
    let counts = vec(prop_oneof![Just(0), any::<u64>()], Outcome::COUNT);
    let times = (any::<[u64; 32]>(), any::<u64>());
    let rest = (any::<[u64; 4]>(), any::<[u32; 4]>(), any::<[Option<u64>; 2]>());
    (counts, times, rest).prop_map(|(counts, (buckets, sum_ns), (longs, peaks, known))| {
        let mut totals = Totals { oldest_ns: known[0], drops: known[1], ..Totals::default() };
        totals.outcomes.copy_from_slice(&counts);
        (totals.waits.buckets, totals.waits.sum_ns) = (buckets, sum_ns);
        [totals.accept_full_ns, totals.syn_full_ns, totals.waiting, totals.half_open] = longs;
        [totals.accept_peak, totals.syn_peak, totals.recent_accept_peak, totals.recent_syn_peak] =
            peaks;
        totals
    })
}

/// A second: events at any listeners, then the totals of some listeners, each once.
fn second() -> impl Strategy<Value = (Vec<(Listener, QueueEvent)>, Snapshot)> {
    let event = |record| QueueEvent::from_record(&record);
    let events = vec((listener(), record().prop_filter_map("known", event)), 0..20);
    let counted = vec((listener(), totals()), 0..4).prop_map(|mut counted| {
        counted.sort_by_key(|(listener, _)| listener.id);
        counted.dedup_by_key(|(listener, _)| listener.id);
        counted
    });
    (events, counted, any::<u64>()).prop_map(|(events, listeners, time_ns)| {
        (events, Snapshot { time_ns, tier: "fentry", listeners, ..Snapshot::default() })
    })
}

proptest! {
    #[test]
    fn any_events_and_totals_survive(seconds in vec(second(), 0..5)) {
        let (_, told) = read(&write(&seconds)).unwrap();
        let (events, snapshots): (Vec<_>, Vec<_>) = seconds.into_iter().unzip();
        let events: Vec<_> = events.into_iter().flatten().collect();
        prop_assert_eq!(told.events, events);
        prop_assert_eq!(told.snapshots, snapshots);
        prop_assert_eq!((told.loss, told.unknown), (None, 0));
    }
}
