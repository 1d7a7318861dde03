//! What is told of ourselves: losses, cost, and whether the books balance.

use opentelemetry_proto::tonic::metrics::v1::Metric;

use super::delivery::Delivered;
use super::points::{About, Amount, Attributes, Kind, Span, numbers, text, whole};
use crate::daemon::Published;

/// The metrics that belong to no listener.
pub(super) fn metrics(read: &Published, span: Span, delivered: [Delivered; 2]) -> Vec<Metric> {
    let mut all = of_the_kernel_side(read, span);
    all.extend(of_the_push(span, delivered));
    let hidden = [(Attributes::new(), Amount::Whole(read.losses.len() as u64))];
    all.extend(point(HIDDEN, Kind::Gauge, span, hidden));
    all
}

fn of_the_kernel_side(read: &Published, span: Span) -> Vec<Metric> {
    let snapshot = &read.snapshot;
    let shed = snapshot.shed.iter().map(|(outcome, count)| {
        let mut attributes = vec![text("queue_trace.event", outcome.event().name())];
        attributes.extend(outcome.reason().map(|reason| text("error.type", reason)));
        (attributes, Amount::Whole(*count))
    });
    let faults = snapshot.faults.iter().map(|(fault, count)| {
        (vec![text("error.type", format!("{fault:?}"))], Amount::Whole(*count))
    });
    let missed = [(Attributes::new(), Amount::Whole(snapshot.missed))];
    let lines = snapshot.books.iter().flat_map(|book| {
        book.lines.iter().map(|line| {
            let attributes = vec![
                whole("queue_trace.netns", book.netns),
                text("queue_trace.counter", line.counter),
            ];
            (attributes, Amount::Difference(line.difference()))
        })
    });
    let program = |name: &str| vec![text("queue_trace.program", name)];
    let programs = &snapshot.programs;
    let times = programs.iter().map(|one| (program(&one.program), Amount::Time(one.run_ns)));
    let runs = programs.iter().map(|one| (program(&one.program), Amount::Whole(one.runs)));
    let tier = [(vec![text("queue_trace.tier", snapshot.tier)], Amount::Whole(1))];
    [
        point(SHED, Kind::Counter, span, shed),
        point(FAULTS, Kind::Counter, span, faults),
        point(MISSED, Kind::Counter, span, missed),
        point(DIFFERENCE, Kind::Gauge, span, lines),
        point(PROGRAM_TIME, Kind::Counter, span, times),
        point(PROGRAM_RUNS, Kind::Counter, span, runs),
        point(TIER, Kind::Gauge, span, tier),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn of_the_push(span: Span, delivered: [Delivered; 2]) -> Vec<Metric> {
    let signals = || ["metrics", "logs"].into_iter().zip(delivered);
    let signal = |name| vec![text("queue_trace.signal", name)];
    let sent = signals().map(|(name, counts)| (signal(name), Amount::Whole(counts.sent)));
    let retries = signals().map(|(name, counts)| (signal(name), Amount::Whole(counts.retries)));
    let lost = signals().flat_map(|(name, counts)| {
        [("queue_full", counts.overflowed), ("rejected", counts.rejected)].map(|(why, count)| {
            let mut attributes = signal(name);
            attributes.push(text("error.type", why));
            (attributes, Amount::Whole(count))
        })
    });
    [
        point(SENT, Kind::Counter, span, sent),
        point(LOST, Kind::Counter, span, lost),
        point(RETRIES, Kind::Counter, span, retries),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn point(
    about: About,
    kind: Kind,
    span: Span,
    points: impl IntoIterator<Item = (Attributes, Amount)>,
) -> Option<Metric> {
    let since = |(attributes, amount)| (span.start, attributes, amount);
    numbers(about, kind, span.at, points.into_iter().map(since))
}

const SHED: About = About {
    name: "queue_trace.records.shed",
    unit: "{record}",
    description: "Records that found no room in the ring buffer; the counters have them",
};
const FAULTS: About = About {
    name: "queue_trace.faults",
    unit: "{fault}",
    description: "Troubles of the kernel side",
};
const MISSED: About = About {
    name: "queue_trace.programs.missed",
    unit: "{call}",
    description: "Calls of our programs that the kernel skipped, as far as it counts them",
};
const DIFFERENCE: About = About {
    name: "queue_trace.balance.difference",
    unit: "{event}",
    description: "By how much one of the kernel's own counters differs from our sum",
};
const PROGRAM_TIME: About = About {
    name: "queue_trace.program.time",
    unit: "s",
    description: "How long a program of ours ran in the kernel (kernel.bpf_stats_enabled)",
};
const PROGRAM_RUNS: About = About {
    name: "queue_trace.program.runs",
    unit: "{run}",
    description: "How often a program of ours ran in the kernel (kernel.bpf_stats_enabled)",
};
const TIER: About = About {
    name: "queue_trace.tier",
    unit: "{tier}",
    description: "By which means queue-trace counts; always 1",
};
const HIDDEN: About = About {
    name: "queue_trace.losses",
    unit: "{loss}",
    description: "How many things are not visible on this kernel; the log says which",
};
const SENT: About = About {
    name: "queue_trace.export.sent",
    unit: "{item}",
    description: "Data points or log records that the receiver took",
};
const LOST: About = About {
    name: "queue_trace.export.lost",
    unit: "{item}",
    description: "Data points or log records that were not sent, or not wanted",
};
const RETRIES: About = About {
    name: "queue_trace.export.retries",
    unit: "{retry}",
    description: "How often a request was sent again",
};
