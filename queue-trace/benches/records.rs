//! How fast records become events, and events what the summary tells.
//!
//! The aim is 10 million records a second on one core. "connections" are handshakes and accepts at 100
//! listeners, "refused SYNs" a flood at them from 4,000 clients, which are all followed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use queue_trace::kernel::ring::decode;
use queue_trace::model::{Observed, QueueEvent};
use queue_trace::source::Names;
use queue_trace_common::{ListenerInfo, Outcome, Record};

const RECORDS: u64 = 12_000;
const LISTENERS: u32 = 100;

/// The record of an event of a connection; each has three.
fn record(number: u64) -> Record {
    let connection = number / 3;
    let [.., high, low] = connection.to_be_bytes();
    let mut record = Record {
        time_ns: 1_000_000_000 + number * 1_000,
        duration_ns: 50_000 + connection * 7_919 % 1_000_000,
        slot: 1 + connection as u32 % LISTENERS,
        accept_depth: 3,
        syn_depth: 1,
        limit: 4096,
        client_port: 1024 + (connection % 60_000) as u16,
        client_version: 4,
        ..Record::default()
    };
    record.client_address[..4].copy_from_slice(&[198, 18, high, low]);
    match number % 3 {
        0 => record.outcome = Outcome::SynQueued as u8,
        1 => record.outcome = Outcome::Established as u8,
        _ => {
            record.outcome = Outcome::Accepted as u8;
            record.pid = 4711;
            record.comm[..5].copy_from_slice(b"nginx");
        }
    }
    record
}

fn refused(number: u64) -> Record {
    let outcome = Outcome::SynAcceptQueueFull as u8;
    Record { outcome, duration_ns: 0, pid: 0, ..record(number) }
}

/// The record as the ring buffer has it, in the order of the layout.
fn bytes(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(Record::SIZE);
    bytes.extend(record.time_ns.to_ne_bytes());
    bytes.extend(record.duration_ns.to_ne_bytes());
    bytes.extend(record.client_address);
    bytes.extend(record.comm);
    let words = [
        record.slot,
        record.pid,
        record.accept_depth,
        record.syn_depth,
        record.limit,
        record.detail,
    ];
    bytes.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    bytes.extend(record.client_port.to_ne_bytes());
    bytes.extend([record.outcome, record.client_version, 0, 0, 0, 0]);
    bytes
}

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    let mut group = criterion.benchmark_group("records");
    group.throughput(Throughput::Elements(RECORDS));
    let connections: Vec<_> = (0..RECORDS).map(|number| bytes(&record(number))).collect();
    let flood: Vec<_> = (0..RECORDS).map(|number| bytes(&refused(number))).collect();
    group.bench_function("decode", |bencher| {
        let event = |bytes| decode(bytes).as_ref().and_then(QueueEvent::from_record);
        bencher
            .iter(|| connections.iter().filter(|bytes| black_box(event(bytes)).is_some()).count());
    });
    for (name, records) in [("connections", &connections), ("refused SYNs", &flood)] {
        let mut names = Names::default();
        for slot in 1..=LISTENERS {
            names.note(slot, &ListenerInfo::default(), |_| Vec::new());
        }
        let mut observed = Observed::default();
        group.bench_function(format!("decode and aggregate {name}"), |bencher| {
            bencher.iter(|| {
                for record in records.iter().filter_map(|bytes| decode(bytes)) {
                    let event = QueueEvent::from_record(&record);
                    if let (Some(event), Some(listener)) = (event, names.get(record.slot)) {
                        observed.take(listener.id, &event);
                    }
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
