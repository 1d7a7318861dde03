//! Waits and handshakes.

use queue_trace_common::{BUCKETS, Histogram};

use super::{Kind, Metric, Value};

/// Which buckets of the kernel a bucket ends with, the last one of all left out. Up to a millisecond each
/// fourth power of two, then, where clients begin to feel it, each power up to 67 s. Ends are the
/// kernel's own: sums over listeners, machines and time are exact.
pub const BOUNDS: [usize; 20] =
    [4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26];

const _: () = assert!(BOUNDS[BOUNDS.len() - 1] + 1 < BUCKETS);

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "queuetrace_accept_wait_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        help: "From entering the accept queue to the return of accept().",
        labels: &[],
        read: |view, sink| view.each(sink, |s| some(&s.totals.waits)),
    },
    Metric {
        name: "queuetrace_handshake_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        help: "From the first SYN-ACK to the final ACK.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| some(&s.totals.handshakes)),
    },
];

/// Most services of a machine never have any.
fn some(times: &Histogram) -> Option<Value<'_>> {
    (times.count() > 0).then_some(Value::Times(times))
}
