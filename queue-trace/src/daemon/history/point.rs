//! What is kept of one interval at one listener.

use queue_trace_common::{Event, Histogram};

use crate::model::Totals;

/// Number of the fields of a [`Point`].
pub(super) const FIELDS: usize = 12;

/// How a listener fared in one interval: in a second, or in a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Connections in the accept queue at the end of it.
    pub waiting: u32,
    /// Greatest accept-queue depth.
    pub accept_peak: u32,
    /// Half-open requests at the end of it.
    pub half_open: u32,
    /// Greatest SYN-queue depth.
    pub syn_peak: u32,
    /// SYNs: queued, answered with a cookie, taken by Fast Open, or refused.
    pub syns: u32,
    /// Connections that entered the accept queue.
    pub established: u32,
    /// Connections that were accepted.
    pub accepts: u32,
    /// SYNs that were refused.
    pub refused_syns: u32,
    /// Final ACKs that were refused.
    pub refused_acks: u32,
    /// How long the accept queue was full, milliseconds.
    pub full_ms: u32,
    /// Bucket of the wait that half of the accepted ones did not exceed (see [`Histogram`]).
    pub wait_p50: Option<u8>,
    /// The same for 99 of 100.
    pub wait_p99: Option<u8>,
}

impl Point {
    /// The fields in their order of storing; zero stands for nothing.
    pub(super) fn fields(&self) -> [u32; FIELDS] {
        let bucket = |bucket: Option<u8>| bucket.map_or(0, |bucket| u32::from(bucket) + 1);
        [
            self.waiting,
            self.accept_peak,
            self.half_open,
            self.syn_peak,
            self.syns,
            self.established,
            self.accepts,
            self.refused_syns,
            self.refused_acks,
            self.full_ms,
            bucket(self.wait_p50),
            bucket(self.wait_p99),
        ]
    }

    /// The point that has these fields.
    pub(super) fn from_fields(fields: [u32; FIELDS]) -> Self {
        let [waiting, accept_peak, half_open, syn_peak, syns, established, rest @ ..] = fields;
        let [accepts, refused_syns, refused_acks, full_ms, wait_p50, wait_p99] = rest;
        let bucket = |field: u32| field.checked_sub(1).and_then(|bucket| bucket.try_into().ok());
        Self {
            waiting,
            accept_peak,
            half_open,
            syn_peak,
            syns,
            established,
            accepts,
            refused_syns,
            refused_acks,
            full_ms,
            wait_p50: bucket(wait_p50),
            wait_p99: bucket(wait_p99),
        }
    }
}

/// What has come together of an interval that is not over.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    point: Point,
    full_ns: u64,
    waits: Histogram,
}

impl Gathering {
    /// Adds what happened between two readings; what counts up begins at zero where there was none
    /// before.
    pub(super) fn add(&mut self, before: Option<&Totals>, now: &Totals) {
        let none = Totals::default();
        let before = before.unwrap_or(&none);
        let grown = |of: fn(&Totals) -> u64| narrow(of(now).wrapping_sub(of(before)));
        let point = &mut self.point;
        (point.waiting, point.half_open) = (narrow(now.waiting), narrow(now.half_open));
        // What was in a queue at the beginning belongs to the interval.
        let accept_peak = now.recent_accept_peak.max(narrow(before.waiting)).max(point.waiting);
        let syn_peak = now.recent_syn_peak.max(narrow(before.half_open)).max(point.half_open);
        point.accept_peak = point.accept_peak.max(accept_peak);
        point.syn_peak = point.syn_peak.max(syn_peak);
        if now.outcomes != before.outcomes {
            add(&mut point.syns, grown(Totals::syns));
            add(&mut point.established, grown(Totals::entered));
            add(&mut point.accepts, grown(|totals| totals.of_event(Event::Accept)));
            add(&mut point.refused_syns, grown(|totals| totals.of_event(Event::SynRefused)));
            add(&mut point.refused_acks, grown(|totals| totals.of_event(Event::AckRefused)));
            self.waits.add(&now.waits.since(&before.waits));
        }
        self.full_ns += now.accept_full_ns.saturating_sub(before.accept_full_ns);
    }

    /// What is kept of it; nothing of an interval in which nothing was.
    pub(super) fn finish(&self) -> Option<Point> {
        let bucket = |quantile| self.waits.quantile(quantile).map(|bucket| bucket as u8);
        let point = Point {
            full_ms: narrow(self.full_ns.div_ceil(1_000_000)),
            wait_p50: bucket(0.5),
            wait_p99: bucket(0.99),
            ..self.point
        };
        (point != Point::default()).then_some(point)
    }
}

fn add(sum: &mut u32, count: u32) {
    *sum = sum.saturating_add(count);
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use super::*;

    #[test]
    fn an_interval_without_anything_leaves_nothing() {
        let mut gathering = Gathering::default();
        let mut totals = Totals::default();
        totals.outcomes[Outcome::Accepted as usize] = 7;
        gathering.add(Some(&totals), &totals);
        assert_eq!(gathering.finish(), None);
    }

    #[test]
    fn counts_are_those_since_the_last_reading_and_depths_those_of_now() {
        let mut before = Totals { waiting: 4, ..Totals::default() };
        before.outcomes[Outcome::SynQueued as usize] = 10;
        let mut now = before;
        now.outcomes[Outcome::SynQueued as usize] = 12;
        now.outcomes[Outcome::SynAcceptQueueFull as usize] = 3;
        now.outcomes[Outcome::AckAcceptQueueFull as usize] = 1;
        now.outcomes[Outcome::CookieEstablished as usize] = 5;
        now.outcomes[Outcome::Accepted as usize] = 2;
        (now.waiting, now.half_open, now.accept_full_ns) = (1, 2, 1_500_000);
        now.waits.buckets[9] = 2;
        let mut gathering = Gathering::default();
        gathering.add(Some(&before), &now);
        let point = gathering.finish().unwrap();
        let expected = Point {
            waiting: 1,
            accept_peak: 4,
            half_open: 2,
            syn_peak: 2,
            syns: 5,
            established: 5,
            accepts: 2,
            refused_syns: 3,
            refused_acks: 1,
            full_ms: 2,
            wait_p50: Some(9),
            wait_p99: Some(9),
        };
        assert_eq!(point, expected);
        assert_eq!(Point::from_fields(point.fields()), point);
    }
}
