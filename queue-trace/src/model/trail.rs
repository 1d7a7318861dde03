//! How one listener fared over a watch of any length, in a bounded number of stretches.

use std::collections::BTreeMap;

use queue_trace_common::{Event, Outcome, bucket};

use super::{Moment, QueueEvent};

/// At most so many stretches: when there would be more, each two become one of twice the length.
pub const STRETCHES: usize = 240;

/// How a listener fared in one stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The limit; 0 while nothing happened.
    pub limit: u32,
    /// Greatest accept-queue depth.
    pub accept_peak: u32,
    /// SYNs that came.
    pub syns: u64,
    /// Connections that entered the accept queue.
    pub established: u64,
    /// Connections that were accepted.
    pub accepts: u64,
    /// Refused SYNs and final ACKs.
    pub refused: u64,
    /// How long the accepted ones had waited: how many by bucket of a [`queue_trace_common::Histogram`].
    pub waits: BTreeMap<u8, u64>,
}

impl Stretch {
    fn add(&mut self, later: &Self) {
        if later.limit != 0 {
            self.limit = later.limit;
        }
        self.accept_peak = self.accept_peak.max(later.accept_peak);
        self.syns += later.syns;
        self.established += later.established;
        self.accepts += later.accepts;
        self.refused += later.refused;
        later.waits.iter().for_each(|(bucket, count)| self.wait(*bucket, *count));
    }

    fn wait(&mut self, bucket: u8, count: u64) {
        *self.waits.entry(bucket).or_default() += count;
    }

    /// The bucket that this share of the waits does not exceed, from 0 to 1; nothing if nobody waited.
    #[must_use]
    pub fn wait_quantile(&self, quantile: f64) -> Option<u8> {
        let wanted = quantile * self.waits.values().sum::<u64>() as f64;
        let mut so_far = 0;
        let reaches = |count: &u64| {
            so_far += count;
            so_far as f64 >= wanted
        };
        let place = self.waits.values().position(reaches)?;
        self.waits.keys().nth(place).copied()
    }
}

/// Stretches of equal length, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    begin_ns: u64,
    length_ns: u64,
    stretches: Vec<Stretch>,
    /// The depth of the accept queue after the last event.
    depth: u32,
    /// How often stretches were put together.
    coarser: u32,
}

impl Trail {
    /// A trail that begins then, of stretches that are so long at first.
    #[must_use]
    pub fn new(begin_ns: u64, length_ns: u64) -> Self {
        let length_ns = length_ns.max(1);
        Self { begin_ns, length_ns, stretches: Vec::new(), depth: 0, coarser: 0 }
    }

    /// Takes in what was counted up to a moment that ended then.
    pub fn note(&mut self, moment: &Moment, end_ns: u64) {
        // Readings are not quite regular: each belongs to the stretch whose end is nearest.
        let middle_ns = end_ns.saturating_sub(self.length_ns / 2);
        let stretch = self.at(middle_ns);
        let mut waits = BTreeMap::new();
        waits.extend(moment.waits.iter().map(|(bucket, count)| (*bucket, u64::from(*count))));
        stretch.add(&Stretch {
            limit: moment.limit,
            accept_peak: moment.accept_peak,
            syns: moment.syns.into(),
            established: moment.established.into(),
            accepts: moment.accepts.into(),
            refused: moment.refused().into(),
            waits,
        });
    }

    /// Takes in an event.
    pub fn observe(&mut self, event: &QueueEvent) {
        self.reach(event.time_ns);
        self.depth = event.accept_depth;
        let stretch = self.at(event.time_ns);
        stretch.limit = event.limit;
        stretch.accept_peak = stretch.accept_peak.max(event.accept_depth);
        if event.outcome == Outcome::Accepted
            && let Some(waited_ns) = event.duration_ns
        {
            stretch.wait(bucket(waited_ns / 1000) as u8, 1);
        }
        let kind = event.event();
        let syn = [Event::SynQueued, Event::SynCookie, Event::SynFastopen, Event::SynRefused];
        stretch.syns += u64::from(syn.contains(&kind));
        let entered = [Outcome::Established, Outcome::CookieEstablished, Outcome::SynFastopen];
        stretch.established += u64::from(entered.contains(&event.outcome));
        stretch.accepts += u64::from(kind == Event::Accept);
        stretch.refused += u64::from(matches!(kind, Event::SynRefused | Event::AckRefused));
    }

    /// The queue stays as deep as the last event left it.
    pub fn reach(&mut self, time_ns: u64) {
        self.fit(time_ns);
        let before = self.stretches.len();
        self.at(time_ns);
        let depth = self.depth;
        let new = self.stretches.iter_mut().skip(before.saturating_sub(1));
        new.for_each(|stretch| stretch.accept_peak = stretch.accept_peak.max(depth));
    }

    /// Makes it last until then.
    pub(super) fn extend(&mut self, time_ns: u64) {
        self.at(time_ns);
    }

    /// When it begins, nanoseconds of the monotonic clock.
    #[must_use]
    pub fn begin_ns(&self) -> u64 {
        self.begin_ns
    }

    /// How long a stretch is, nanoseconds.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// The stretches in the order of time.
    #[must_use]
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// Whether its stretches are longer than they were at first.
    #[must_use]
    pub fn is_coarser(&self) -> bool {
        self.coarser > 0
    }

    /// Everything in one.
    #[must_use]
    pub fn sum(&self) -> Stretch {
        self.stretches.iter().fold(Stretch::default(), |mut sum, stretch| {
            sum.add(stretch);
            sum
        })
    }

    /// The same with at most so many stretches, which are longer for it.
    #[must_use]
    pub fn with_at_most(&self, most: usize) -> Self {
        let mut few = self.clone();
        while few.stretches.len() > most.max(1) {
            few.halve();
        }
        few
    }

    /// The stretch of a time; what lies before the beginning belongs to the first one.
    fn at(&mut self, time_ns: u64) -> &mut Stretch {
        self.fit(time_ns);
        let place = (time_ns.saturating_sub(self.begin_ns) / self.length_ns) as usize;
        if place >= self.stretches.len() {
            self.stretches.resize(place + 1, Stretch::default());
        }
        &mut self.stretches[place]
    }

    /// Makes stretches as long as they have to be to reach a time.
    fn fit(&mut self, time_ns: u64) {
        while time_ns.saturating_sub(self.begin_ns) / self.length_ns >= STRETCHES as u64 {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let sum = |pair: &[Stretch]| {
            pair.iter().fold(Stretch::default(), |mut sum, stretch| {
                sum.add(stretch);
                sum
            })
        };
        self.stretches = self.stretches.chunks(2).map(sum).collect();
        self.length_ns *= 2;
        self.coarser += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn event(outcome: Outcome, time_ns: u64, accept_depth: u32) -> QueueEvent {
        let duration_ns = Some(3_000);
        QueueEvent { accept_depth, limit: 5, duration_ns, ..QueueEvent::made(outcome, time_ns) }
    }

    #[test]
    fn an_event_is_in_its_stretch_and_its_depth_stays() {
        let mut trail = Trail::new(10 * SECOND, SECOND);
        trail.observe(&event(Outcome::SynQueued, 10 * SECOND + 1, 0));
        trail.observe(&event(Outcome::Established, 11 * SECOND, 4));
        trail.observe(&event(Outcome::Accepted, 14 * SECOND, 3));
        trail.reach(16 * SECOND);
        let peaks: Vec<_> = trail.stretches().iter().map(|stretch| stretch.accept_peak).collect();
        assert_eq!(peaks, [0, 4, 4, 4, 4, 3, 3]);
        let sum = trail.sum();
        assert_eq!((sum.syns, sum.established, sum.accepts, sum.refused), (1, 1, 1, 0));
        assert_eq!(sum.wait_quantile(0.99), Some(2));
    }

    #[test]
    fn what_was_counted_goes_to_the_nearest_stretch() {
        let mut trail = Trail::new(0, SECOND);
        let moment = |syns| Moment { syns, ..Moment::default() };
        for (end_ns, syns) in [(SECOND + 3, 1), (2 * SECOND - 5, 2), (3 * SECOND + 9, 3)] {
            trail.note(&moment(syns), end_ns);
        }
        let syns: Vec<_> = trail.stretches().iter().map(|stretch| stretch.syns).collect();
        assert_eq!(syns, [1, 2, 3]);
    }

    #[test]
    fn a_long_watch_has_longer_stretches_and_loses_nothing() {
        let mut trail = Trail::new(0, SECOND);
        for second in 0..10_000 {
            let depth = u32::from(second == 7_000) * 9;
            trail.observe(&event(Outcome::SynAcceptQueueFull, second * SECOND, depth));
        }
        assert!(trail.stretches().len() <= STRETCHES && trail.is_coarser());
        assert!(trail.stretches().len() > STRETCHES / 2);
        let sum = trail.sum();
        assert_eq!((sum.refused, sum.accept_peak), (10_000, 9));
        let few = trail.with_at_most(30);
        assert!((15..=30).contains(&few.stretches().len()));
        assert_eq!(few.sum(), sum);
    }
}
