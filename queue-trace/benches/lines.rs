//! How fast events become lines, in memory and through a pipe to a process that reads them.
//!
//! The aim is a million JSON lines a second to a pipe. "copy" writes the same bytes to the same pipe:
//! what no output can be faster than.

use std::hint::black_box;
use std::io::{self, PipeWriter, Read, Write};
use std::time::Duration;

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use queue_trace::model::{Caller, Listener, QueueEvent};
use queue_trace::output::clock::Clock;
use queue_trace::output::{AT_ONCE, json, text};
use queue_trace_common::{ListenerInfo, Outcome};

const EVENTS: usize = 12_000;

type Format = fn(&mut Vec<u8>, &mut Clock, &Listener, &QueueEvent);

/// An event of a connection; each has three.
fn event(number: usize) -> QueueEvent {
    let outcome = [Outcome::SynQueued, Outcome::Established, Outcome::Accepted][number % 3];
    let connection = number / 3;
    let client = ([192, 0, 2, connection as u8], 1024 + (connection % 60_000) as u16);
    let caller = Caller { pid: 4711, comm: *b"nginx\0\0\0\0\0\0\0\0\0\0\0" };
    QueueEvent {
        time_ns: 1_000_000_000 + number as u64 * 1_000,
        outcome,
        client: Some(client.into()),
        accept_depth: 3,
        syn_depth: 1,
        limit: 4096,
        duration_ns: Some(50_000 + (connection as u64 * 7_919) % 1_000_000),
        detail: 0,
        process: (outcome == Outcome::Accepted).then_some(caller),
    }
}

fn listener() -> Listener {
    let mut info = ListenerInfo { port: 8080, netns: 4_026_531_840, ..ListenerInfo::default() };
    info.address[..4].copy_from_slice(&[10, 1, 2, 3]);
    Listener::from_info(1, &info)
}

/// A pipe that somebody reads as fast as it comes.
fn pipe() -> io::Result<PipeWriter> {
    let (mut reader, writer) = io::pipe()?;
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    Ok(writer)
}

/// Formats and hands over what is to be written at once.
fn lines(format: Format, buffer: &mut Vec<u8>, mut write: impl FnMut(&[u8])) {
    let mut clock = Clock::new(1_000_000_000, Timestamp::UNIX_EPOCH, false);
    let listener = listener();
    for number in 0..EVENTS {
        format(buffer, &mut clock, &listener, &black_box(event(number)));
        if buffer.len() >= AT_ONCE {
            write(buffer);
            buffer.clear();
        }
    }
    write(buffer);
    buffer.clear();
}

fn main() -> io::Result<()> {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    for (name, format) in [("json", json::write as Format), ("text", text::write)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(EVENTS as u64));
        let mut buffer = Vec::with_capacity(2 * AT_ONCE);
        group.bench_function("to memory", |bencher| {
            bencher.iter(|| lines(format, &mut buffer, |bytes| _ = black_box(bytes)));
        });
        let mut out = pipe()?;
        group.bench_function("to a pipe", |bencher| {
            // A pipe whose reader is gone would show as a rate beyond all measure.
            bencher.iter(|| lines(format, &mut buffer, |bytes| _ = out.write_all(bytes)));
        });
        let mut all = Vec::new();
        lines(format, &mut buffer, |bytes| all.extend_from_slice(bytes));
        group.bench_function("copy to the pipe", |bencher| {
            bencher.iter(|| all.chunks(AT_ONCE).try_for_each(|bytes| out.write_all(bytes)));
        });
        group.finish();
        println!("{name}: {} bytes a line", all.len() / EVENTS);
    }
    criterion.final_summary();
    Ok(())
}
