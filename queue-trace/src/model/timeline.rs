//! What happened from snapshot to snapshot, for views that go back in time.

use std::collections::{HashMap, VecDeque};

use super::{Moment, Snapshot, Totals};

/// More snapshots than this are not kept: an hour of seconds.
const FRAMES: usize = 3_600;
/// More moments than this are not kept, some 25 MB: a thousand busy listeners for three minutes.
const MOMENTS: usize = 200_000;

/// What happened between two snapshots.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// When the later one was taken, nanoseconds of the monotonic clock.
    pub time_ns: u64,
    /// How long after the earlier one; 0 for the first.
    pub length_ns: u64,
    /// The listeners that were not quiet, by number.
    moments: Box<[Moment]>,
}

impl Frame {
    /// How a listener fared; nothing if it was quiet.
    #[must_use]
    pub fn of(&self, listener: u32) -> Option<&Moment> {
        let place = self.moments.binary_search_by_key(&listener, |moment| moment.listener).ok()?;
        self.moments.get(place)
    }

    /// The listeners that were not quiet.
    #[must_use]
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// How many a second so many are.
    #[must_use]
    pub fn rate(&self, count: u32) -> Option<f64> {
        (self.length_ns > 0).then(|| f64::from(count) * 1e9 / self.length_ns as f64)
    }
}

/// The latest frames, each by its number.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    frames: VecDeque<Frame>,
    /// How many went before those that are kept.
    gone: u64,
    /// The moments of all that are kept.
    moments: usize,
    /// The counters of the last snapshot, by number of the listener, and whether it had closed.
    before: HashMap<u32, (Totals, bool)>,
}

impl Timeline {
    /// Takes in a snapshot, which is later than the one before.
    pub fn note(&mut self, snapshot: &Snapshot) {
        let last_ns = self.frames.back().map(|frame| frame.time_ns);
        let mut before = std::mem::take(&mut self.before);
        let mut moments = Vec::new();
        for (listener, totals) in &snapshot.listeners {
            let (former, was_closed) = match before.remove(&listener.id) {
                Some(known) => known,
                // What was counted before the first snapshot happened at no known time.
                None if last_ns.is_none() => (*totals, listener.closed),
                None => (Totals::default(), false),
            };
            self.before.insert(listener.id, (*totals, listener.closed));
            // What is counted at a listener that had closed is what others counted before it.
            if !was_closed {
                moments.push(Moment::new(listener, &former, totals, snapshot.time_ns));
            }
        }
        moments.retain(|moment| !moment.is_quiet());
        moments.sort_by_key(|moment| moment.listener);
        self.moments += moments.len();
        let length_ns = last_ns.map_or(0, |last| snapshot.time_ns.saturating_sub(last));
        let moments = moments.into_boxed_slice();
        self.frames.push_back(Frame { time_ns: snapshot.time_ns, length_ns, moments });
        while self.frames.len() > 1 && (self.frames.len() > FRAMES || self.moments > MOMENTS) {
            self.moments -= self.frames.pop_front().map_or(0, |frame| frame.moments.len());
            self.gone += 1;
        }
    }

    /// The numbers of the frames that are kept: of the first one, and of the last.
    #[must_use]
    pub fn bounds(&self) -> Option<(u64, u64)> {
        let last = (self.frames.len() as u64).checked_sub(1)?;
        Some((self.gone, self.gone + last))
    }

    /// A frame by its number.
    #[must_use]
    pub fn frame(&self, number: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(number.checked_sub(self.gone)?).ok()?)
    }

    /// The frames of the time before a frame, that one included, the last one first.
    pub fn back(&self, number: u64, span_ns: u64) -> impl Iterator<Item = &Frame> {
        let end = (number + 1).saturating_sub(self.gone) as usize;
        let end = end.min(self.frames.len());
        let now_ns = self.frame(number).map_or(0, |frame| frame.time_ns);
        let within = move |frame: &&Frame| now_ns - frame.time_ns < span_ns;
        self.frames.range(..end).rev().take_while(within)
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{ListenerInfo, Outcome};

    use super::*;
    use crate::model::Listener;

    const SECOND: u64 = 1_000_000_000;

    fn snapshot(second: u64, counts: &[u64]) -> Snapshot {
        let listener = |(count, id): (&u64, u32)| {
            let mut totals = Totals::default();
            totals.outcomes[Outcome::SynAcceptQueueFull as usize] = *count;
            totals.waits.buckets[7] = *count;
            (Listener::from_info(id, &ListenerInfo { limit: 5, ..ListenerInfo::default() }), totals)
        };
        Snapshot {
            time_ns: second * SECOND,
            listeners: counts.iter().zip(1..).map(listener).collect(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_frame_has_what_happened_since_the_last_one() {
        let mut timeline = Timeline::default();
        timeline.note(&snapshot(10, &[4, 0]));
        timeline.note(&snapshot(12, &[10, 0]));
        timeline.note(&snapshot(13, &[10, 0, 3]));
        assert_eq!(timeline.bounds(), Some((0, 2)));
        let refused = |frame, listener| {
            let frame: &Frame = timeline.frame(frame).unwrap();
            frame.of(listener).map(|moment| (moment.refused(), frame.rate(moment.refused())))
        };
        assert_eq!(refused(0, 1), None, "it is not known when that was");
        assert_eq!(refused(1, 1), Some((6, Some(3.0))));
        assert_eq!((refused(1, 2), refused(2, 1)), (None, None), "quiet");
        assert_eq!(refused(2, 3), Some((3, Some(3.0))), "new");
        assert_eq!(&*timeline.frame(1).unwrap().of(1).unwrap().waits, [(7, 6)]);
        let back: Vec<_> = timeline.back(2, 2 * SECOND).map(|frame| frame.time_ns).collect();
        assert_eq!(back, [13 * SECOND, 12 * SECOND]);
    }

    #[test]
    fn the_oldest_frames_go() {
        let mut timeline = Timeline::default();
        for second in 0..FRAMES as u64 + 10 {
            timeline.note(&snapshot(second, &[second]));
        }
        assert_eq!(timeline.bounds(), Some((10, FRAMES as u64 + 9)));
        assert!(timeline.frame(9).is_none());
        assert_eq!(timeline.frame(10).unwrap().time_ns, 10 * SECOND);
    }

    #[test]
    fn what_closed_listeners_are_given_later_is_no_growth() {
        let mut timeline = Timeline::default();
        timeline.note(&snapshot(1, &[1]));
        for (second, count) in [(2, 3), (3, 900)] {
            let mut closed = snapshot(second, &[count]);
            closed.listeners[0].0.closed = true;
            timeline.note(&closed);
        }
        let refused = |number| timeline.frame(number)?.of(1).map(Moment::refused);
        assert_eq!((refused(1), refused(2)), (Some(2), None));
    }
}
