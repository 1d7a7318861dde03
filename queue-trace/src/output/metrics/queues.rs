//! How deep the two queues are, and how long they were full.

use super::{Kind, Metric, Value, seconds};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "queuetrace_listeners",
        kind: Kind::Gauge,
        unit: "",
        help: "Listening sockets of the service that are open; more than one in a SO_REUSEPORT group.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.open.len() as u64))),
    },
    Metric {
        name: "queuetrace_accept_queue_connections",
        kind: Kind::Gauge,
        unit: "connections",
        help: "Connections that are established and wait for accept().",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.totals.waiting))),
    },
    Metric {
        name: "queuetrace_accept_queue_limit_connections",
        kind: Kind::Gauge,
        unit: "connections",
        help: "What the kernel made of the backlog; both queues are full above it. The sum over the service's open listeners.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.limit))),
    },
    Metric {
        name: "queuetrace_accept_queue_peak_connections",
        kind: Kind::Gauge,
        unit: "connections",
        help: "Greatest depth of the accept queue in the last minute; bursts between scrapes are in it. Of several listeners the sum of each one's.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.accept_peak.greatest()))),
    },
    Metric {
        name: "queuetrace_accept_queue_utilization_ratio",
        kind: Kind::Gauge,
        unit: "ratio",
        help: "Greatest depth in the last minute over limit + 1, of the service's fullest listener: 1 is full.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Level(s.fullness.greatest()))),
    },
    Metric {
        name: "queuetrace_accept_queue_oldest_seconds",
        kind: Kind::Gauge,
        unit: "seconds",
        help: "For how long the connection has waited that has waited longest; 0 when none waits.",
        labels: &[],
        read: |view, sink| {
            let now = view.snapshot.time_ns;
            view.each(sink, |s| {
                let age = s.totals.oldest_ns.map_or(0, |since| now.saturating_sub(since));
                Some(Value::Level(seconds(age)))
            });
        },
    },
    Metric {
        name: "queuetrace_accept_queue_full_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "How long the accept queue has been full; of several listeners the sum.",
        labels: &[],
        read: |view, sink| {
            view.each(sink, |s| Some(Value::Level(seconds(s.totals.accept_full_ns))));
        },
    },
    Metric {
        name: "queuetrace_half_open_connections",
        kind: Kind::Gauge,
        unit: "connections",
        help: "Half-open requests: the SYN queue.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.totals.half_open))),
    },
    Metric {
        name: "queuetrace_half_open_peak_connections",
        kind: Kind::Gauge,
        unit: "connections",
        help: "Greatest depth of the SYN queue in the last minute; of several listeners the sum of each one's.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Count(s.syn_peak.greatest()))),
    },
    Metric {
        name: "queuetrace_half_open_full_seconds",
        kind: Kind::Counter,
        unit: "seconds",
        help: "How long the SYN queue has been full; of several listeners the sum.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| Some(Value::Level(seconds(s.totals.syn_full_ns)))),
    },
];
