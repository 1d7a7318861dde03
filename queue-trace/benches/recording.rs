//! How fast events become a recording and a recording becomes events again, and how large it is.
//!
//! The events are those of connections at 100 listeners, each with a SYN, an establishment and an accept, in
//! seconds of 120,000; and a flood of refused SYNs from 4,000 clients.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use queue_trace::model::{Caller, Listener, Means, QueueEvent, Snapshot, Totals};
use queue_trace::recording::{Header, Reader, Step, Writer};
use queue_trace_common::{ListenerInfo, Outcome};

const EVENTS: usize = 120_000;
const LISTENERS: u32 = 100;

/// A number that has no pattern to compress: what clients and times really look like.
fn mixed(number: usize) -> usize {
    let number = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (number ^ (number >> 29)) as usize
}

fn event(number: usize) -> QueueEvent {
    let outcome = [Outcome::SynQueued, Outcome::Established, Outcome::Accepted][number % 3];
    let connection = mixed(number / 3);
    let client = ([10, 0, (connection >> 8) as u8, connection as u8], (connection >> 16) as u16);
    let caller = Caller { pid: 4711, comm: *b"nginx\0\0\0\0\0\0\0\0\0\0\0" };
    QueueEvent {
        time_ns: 1_000_000_000 + number as u64 * 8_000 + (mixed(number) % 8_000) as u64,
        outcome,
        client: Some(client.into()),
        accept_depth: (mixed(number) % 7) as u32,
        syn_depth: (mixed(number) % 3) as u32,
        limit: 4096,
        duration_ns: (outcome != Outcome::SynQueued)
            .then_some(50_000 + (connection % 1_000_000) as u64),
        detail: 0,
        process: (outcome == Outcome::Accepted).then_some(caller),
    }
}

fn refused(number: usize) -> QueueEvent {
    let client = mixed(number) % 4_000;
    let client = ([198, 18, (client >> 8) as u8, client as u8], 1024 + client as u16);
    QueueEvent {
        outcome: Outcome::SynAcceptQueueFull,
        client: Some(client.into()),
        accept_depth: 129,
        limit: 128,
        duration_ns: None,
        process: None,
        ..event(number)
    }
}

fn listeners() -> Vec<Listener> {
    let info =
        |id: u32| ListenerInfo { port: 8000 + id as u16, family: 2, ..ListenerInfo::default() };
    (1..=LISTENERS).map(|id| Listener::from_info(id, &info(id))).collect()
}

fn header() -> Header {
    Header {
        program: String::new(),
        host: String::new(),
        kernel: String::new(),
        start_ns: 0,
        wall: Timestamp::UNIX_EPOCH,
        part: 0,
        hooks: 0,
        means: Means { tier: "fentry".into(), ..Means::default() },
        ports: Vec::new(),
        events: Vec::new(),
    }
}

/// A second of events, and the snapshot after it.
fn write(listeners: &[Listener], events: &[QueueEvent], snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut write = || -> std::io::Result<()> {
        let mut writer = Writer::new(&mut bytes, &header())?;
        for (number, event) in events.iter().enumerate() {
            writer.event(&listeners[number / 3 % listeners.len()], event)?;
        }
        writer.snapshot(snapshot)?;
        writer.end(false)
    };
    // Memory takes everything; a short result would show as a rate beyond all measure.
    let _ = write();
    bytes
}

fn read(bytes: &[u8]) -> usize {
    let mut count = 0;
    let Ok(mut reader) = Reader::new(bytes) else { return 0 };
    while let Ok(Step::More | Step::Snapshot) = reader.read(|_, event| {
        black_box(event);
        count += 1;
        true
    }) {}
    count
}

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    let listeners = listeners();
    let mut totals = Totals::default();
    totals.outcomes[..4].fill(1_234_567);
    totals.waits.buckets[5..15].fill(7_654);
    let counted: Vec<_> = listeners.iter().map(|listener| (listener.clone(), totals)).collect();
    let snapshot = Snapshot { listeners: counted, ..Snapshot::default() };
    let empty = write(&listeners, &[], &Snapshot::default()).len();
    for (name, event) in [("connections", event as fn(usize) -> _), ("refused SYNs", refused)] {
        let mut group = criterion.benchmark_group(format!("recording {name}"));
        group.throughput(Throughput::Elements(EVENTS as u64));
        let events: Vec<_> = (0..EVENTS).map(event).collect();
        group.bench_function("write", |bencher| {
            bencher.iter(|| black_box(write(&listeners, &events, &snapshot)));
        });
        let bytes = write(&listeners, &events, &snapshot);
        group.bench_function("read", |bencher| bencher.iter(|| read(&bytes)));
        group.finish();
        let each = (bytes.len() - empty) as f64 / EVENTS as f64;
        println!("{name}: {} of {EVENTS} events read, {each:.1} bytes an event", read(&bytes));
    }
    let counters = write(&listeners, &[], &snapshot).len() - empty;
    println!(
        "counters of {LISTENERS} listeners, all changed: {counters} bytes with their descriptions"
    );
    criterion.final_summary();
}
