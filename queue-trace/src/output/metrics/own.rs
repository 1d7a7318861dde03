//! What queue-trace itself costs, and what it lost.

use std::borrow::Cow;

use jiff::Timestamp;
use queue_trace_common::{Event, Fault, Outcome};

use super::{Kind, Metric, Sink, Value, seconds};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "queuetrace_build",
        kind: Kind::Info,
        unit: "",
        help: "The version of queue-trace.",
        labels: &["version"],
        read: |_, sink| {
            let version = ("version", Cow::Borrowed(env!("CARGO_PKG_VERSION")));
            sink(&[], &[version], Value::Count(1));
        },
    },
    Metric {
        name: "queuetrace_attach",
        kind: Kind::Info,
        unit: "",
        help: "By which means the kernel is watched: fentry, kprobe or poll.",
        labels: &["tier"],
        read: |view, sink| {
            sink(&[], &[("tier", Cow::Borrowed(view.snapshot.tier))], Value::Count(1));
        },
    },
    Metric {
        name: "queuetrace_losses",
        kind: Kind::Gauge,
        unit: "",
        help: "Things that cannot be seen here, as said at the start and by `queue-trace doctor`.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.losses.len() as u64)),
    },
    Metric {
        name: "queuetrace_start_time_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "When counting began, seconds since 1970.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Level(since_1970(view.started))),
    },
    Metric {
        name: "queuetrace_snapshot_time_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "When the counters were last read, seconds since 1970.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Level(since_1970(view.at))),
    },
    Metric {
        name: "queuetrace_program_run_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "How long each of our programs ran in the kernel; measured only with kernel.bpf_stats_enabled.",
        labels: &["program"],
        read: |view, sink| {
            for cost in &view.snapshot.programs {
                let program = ("program", Cow::Borrowed(cost.program.as_str()));
                sink(&[], &[program], Value::Level(seconds(cost.run_ns)));
            }
        },
    },
    Metric {
        name: "queuetrace_program_runs",
        kind: Kind::Counter,
        unit: "",
        help: "How often each of our programs ran in the kernel; counted only with kernel.bpf_stats_enabled.",
        labels: &["program"],
        read: |view, sink| {
            for cost in &view.snapshot.programs {
                let program = ("program", Cow::Borrowed(cost.program.as_str()));
                sink(&[], &[program], Value::Count(cost.runs));
            }
        },
    },
    Metric {
        name: "queuetrace_records_shed",
        kind: Kind::Counter,
        unit: "",
        help: "Records of single events that found no room and were not delivered; the counters have them.",
        labels: &["event"],
        read: |view, sink| by_event(&view.snapshot.shed, sink),
    },
    Metric {
        name: "queuetrace_records_thinned",
        kind: Kind::Counter,
        unit: "",
        help: "Records of single events that were left out because many of their kind came faster than they were read; the counters have them.",
        labels: &["event"],
        read: |view, sink| by_event(&view.snapshot.thinned, sink),
    },
    Metric {
        name: "queuetrace_slots_exhausted",
        kind: Kind::Counter,
        unit: "",
        help: "Times that no slot was left for a listener: its events are counted under address=\"other\".",
        labels: &[],
        read: |view, sink| {
            let mut faults = view.snapshot.faults.iter();
            let found = faults.find(|(fault, _)| *fault == Fault::SlotsExhausted);
            sink(&[], &[], Value::Count(found.map_or(0, |(_, count)| *count)));
        },
    },
    Metric {
        name: "queuetrace_missed_calls",
        kind: Kind::Counter,
        unit: "",
        help: "Calls of our programs that the kernel skipped, as far as it counts them; what they saw is missing.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.snapshot.missed)),
    },
    Metric {
        name: "queuetrace_http_connections_refused",
        kind: Kind::Counter,
        unit: "",
        help: "Connections to this endpoint that were closed at once because too many were open.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.own.refused_connections)),
    },
    Metric {
        name: "process_cpu_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "Processor time of queue-trace, user and system; its programs in the kernel are not in it.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Level(view.own.cpu_seconds)),
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: "bytes",
        help: "Memory of queue-trace in RAM.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.own.resident_bytes)),
    },
];

fn since_1970(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1e3
}

/// Counts of outcomes, summed up by the event that they are outcomes of.
fn by_event(counts: &[(Outcome, u64)], sink: &mut Sink<'_>) {
    for event in Event::ALL {
        let of_event = counts.iter().filter(|(outcome, _)| outcome.event() == event);
        let count = of_event.map(|(_, count)| count).sum();
        sink(&[], &[("event", Cow::Borrowed(event.name()))], Value::Count(count));
    }
}
