//! Our sums beside the kernel's own counters.

use std::borrow::Cow;

use super::{Kind, Metric, Value};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "queuetrace_balance_difference",
        kind: Kind::Gauge,
        unit: "",
        help: "The kernel's counter of a network namespace less our sum over its listeners, since counting began. The books balance when it is 0.",
        labels: &["netns", "counter"],
        read: |view, sink| {
            for books in &view.snapshot.books {
                let netns = [("netns", Cow::Owned(books.netns.to_string()))];
                for line in &books.lines {
                    let counter = [("counter", Cow::Borrowed(line.counter))];
                    sink(&netns, &counter, Value::Level(line.difference() as f64));
                }
            }
        },
    },
    Metric {
        name: "queuetrace_contradicted",
        kind: Kind::Counter,
        unit: "",
        help: "Outcomes that the kernel's counters contradicted at the moment itself, where that is compared (debugging).",
        labels: &["event", "reason"],
        read: |view, sink| {
            for (outcome, count) in &view.snapshot.contradicted {
                let event = ("event", Cow::Borrowed(outcome.event().name()));
                let reason = ("reason", Cow::Borrowed(outcome.reason().unwrap_or_default()));
                sink(&[], &[event, reason], Value::Count(*count));
            }
        },
    },
];
