//! How one listener fared between two snapshots.

use queue_trace_common::{Event, Histogram, Outcome};

use super::{Listener, Totals};

/// How a listener fared between two snapshots, and how its queues were at the later one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moment {
    /// Number of the listener.
    pub listener: u32,
    /// Its limit.
    pub limit: u32,
    /// Connections in the accept queue at the end.
    pub waiting: u32,
    /// Greatest accept-queue depth.
    pub accept_peak: u32,
    /// Half-open requests at the end.
    pub half_open: u32,
    /// Greatest SYN-queue depth.
    pub syn_peak: u32,
    /// SYNs that came.
    pub syns: u32,
    /// Connections that entered the accept queue.
    pub established: u32,
    /// Connections that were accepted.
    pub accepts: u32,
    /// Packets that the listener discarded for whatever reason, as far as the kernel was asked.
    pub drops: u32,
    /// For how long the first connection in the accept queue had waited at the end, nanoseconds.
    pub oldest_ns: Option<u64>,
    /// Refused SYNs and final ACKs by what became of them; only those that there were.
    pub refusals: Box<[(Outcome, u32)]>,
    /// How long the accepted ones had waited: buckets of a [`Histogram`], only those in which any were.
    pub waits: Box<[(u8, u32)]>,
}

impl Moment {
    /// What there is to keep of a listener's totals at `now_ns`, and of what they grew by since `before`.
    #[must_use]
    pub(super) fn new(listener: &Listener, before: &Totals, now: &Totals, now_ns: u64) -> Self {
        let grown = |of: fn(&Totals) -> u64| narrow(of(now).saturating_sub(of(before)));
        let (waiting, half_open) = (narrow(now.waiting), narrow(now.half_open));
        Self {
            listener: listener.id,
            limit: listener.limit,
            waiting,
            // What was in a queue at the beginning belongs to the interval.
            accept_peak: now.recent_accept_peak.max(narrow(before.waiting)).max(waiting),
            half_open,
            syn_peak: now.recent_syn_peak.max(narrow(before.half_open)).max(half_open),
            syns: grown(Totals::syns),
            established: grown(Totals::entered),
            accepts: grown(|totals| totals.of_event(Event::Accept)),
            drops: match (before.drops, now.drops) {
                (Some(before), Some(now)) => narrow(now.saturating_sub(before)),
                _ => 0,
            },
            oldest_ns: now.oldest_ns.map(|since| now_ns.saturating_sub(since)),
            refusals: refusals(before, now),
            waits: waits(&before.waits, &now.waits),
        }
    }

    /// Refused SYNs and final ACKs.
    #[must_use]
    pub fn refused(&self) -> u32 {
        self.refusals.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether nothing was in the queues and nothing happened.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let Self { listener, limit, .. } = *self;
        *self == Self { listener, limit, ..Self::default() }
    }

    /// Adds how long the accepted ones had waited to a distribution.
    pub fn add_waits(&self, sum: &mut Histogram) {
        for (bucket, count) in &self.waits {
            if let Some(there) = sum.buckets.get_mut(usize::from(*bucket)) {
                *there += u64::from(*count);
            }
        }
    }
}

fn refusals(before: &Totals, now: &Totals) -> Box<[(Outcome, u32)]> {
    let refused = |outcome: &&Outcome| {
        matches!(outcome.event(), Event::SynRefused | Event::AckRefused)
            && now.of(**outcome) > before.of(**outcome)
    };
    let grown = |outcome: &Outcome| (*outcome, narrow(now.of(*outcome) - before.of(*outcome)));
    Outcome::ALL.iter().filter(refused).map(grown).collect()
}

fn waits(before: &Histogram, now: &Histogram) -> Box<[(u8, u32)]> {
    let grown = now.buckets.iter().zip(before.buckets).map(|(now, then)| now.saturating_sub(then));
    let some = grown.zip(0..).filter(|(count, _)| *count > 0);
    some.map(|(count, bucket)| (bucket, narrow(count))).collect()
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
