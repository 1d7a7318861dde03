//! How each listener fared lately: the last hour by the second, the last day by the minute.
//!
//! Pure: times are seconds of the monotonic clock that the caller hands in. Intervals in which nothing
//! was take no memory, and what the others take is bounded: beyond the bound, the seconds of the least
//! interesting listeners go first, then the listeners themselves. What went is counted.

mod point;
mod series;

use std::collections::{BTreeMap, HashMap};

use point::Gathering;
pub use point::Point;
use queue_trace_common::Event;
use series::Series;

use crate::model::{Listener, Snapshot, Totals};

/// How long seconds are kept, seconds.
const HOUR: u32 = 3_600;
/// How long minutes are kept, seconds.
const DAY: u32 = 86_400;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most memory that all points may take, bytes.
    pub memory: usize,
    /// The most listeners of which anything is kept.
    pub listeners: usize,
}

/// What is kept, and what had to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Listeners of which anything is kept.
    pub listeners: usize,
    /// Points of all of them.
    pub points: u64,
    /// The memory that these take, bytes.
    pub memory: usize,
    /// How often the seconds of a listener went before their time.
    pub shortened: u64,
    /// How often all that was kept of a listener went before its time.
    pub evicted: u64,
}

/// The history of all listeners, by their numbers.
#[derive(Debug)]
pub struct History {
    bounds: Bounds,
    tracks: BTreeMap<u32, Track>,
    /// The last minute at which old points were dropped.
    minute: u32,
    shortened: u64,
    evicted: u64,
}

/// The history of one listener.
#[derive(Debug)]
struct Track {
    seconds: Level,
    minutes: Level,
    /// How much trouble there was while it was kept.
    trouble: u64,
    /// The second in which anything last happened.
    active: u32,
}

/// Points of one length of interval.
#[derive(Debug)]
struct Level {
    /// Length of an interval, seconds.
    length: u32,
    /// How many intervals are kept.
    keep: u32,
    series: Series,
    /// The interval that is not over: its number, and what has come together.
    open: Option<(u32, Box<Gathering>)>,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, tracks: BTreeMap::new(), minute: 0, shortened: 0, evicted: 0 }
    }

    /// Changes the bounds; what is too much goes at the next [`Self::advance`].
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Takes notice of what happened between two snapshots, of which the later one is of this second.
    pub fn note(&mut self, second: u32, before: &Snapshot, now: &Snapshot) {
        let former: HashMap<u32, &(Listener, Totals)> =
            before.listeners.iter().map(|former| (former.0.id, former)).collect();
        for (listener, totals) in &now.listeners {
            let former = former.get(&listener.id);
            let before = former.map(|(_, totals)| totals);
            // What is counted at a listener that had closed is what others counted before it.
            let over = listener.closed && former.is_none_or(|(former, _)| former.closed);
            if over || quiet(before, totals) {
                continue;
            }
            let track = self.tracks.entry(listener.id).or_insert_with(Track::new);
            track.active = second;
            track.trouble += trouble(totals) - before.map_or(0, trouble).min(trouble(totals));
            track.close(second);
            track.seconds.note(second, before, totals);
            track.minutes.note(second, before, totals);
        }
    }

    /// Closes the intervals that are over by this second, and drops what is too old or too much.
    pub fn advance(&mut self, second: u32) {
        for track in self.tracks.values_mut() {
            track.close(second);
        }
        let minute = second / 60;
        if minute != self.minute {
            self.minute = minute;
            self.tracks.retain(|_, track| track.expire(second));
        }
        self.bound();
    }

    /// The seconds of a listener in which anything was, each with its point.
    pub fn seconds(&self, listener: u32) -> impl Iterator<Item = (u32, Point)> {
        self.tracks.get(&listener).into_iter().flat_map(|track| track.seconds.points())
    }

    /// The minutes of a listener in which anything was, each with its first second.
    pub fn minutes(&self, listener: u32) -> impl Iterator<Item = (u32, Point)> {
        self.tracks.get(&listener).into_iter().flat_map(|track| track.minutes.points())
    }

    /// What is kept.
    #[must_use]
    pub fn size(&self) -> Size {
        let count = |track: &Track| {
            u64::from(track.seconds.series.count()) + u64::from(track.minutes.series.count())
        };
        Size {
            listeners: self.tracks.len(),
            points: self.tracks.values().map(count).sum(),
            memory: self.memory(),
            shortened: self.shortened,
            evicted: self.evicted,
        }
    }

    fn memory(&self) -> usize {
        self.tracks.values().map(Track::memory).sum()
    }

    /// Drops what is beyond the bounds, and a tenth more, so that it is not to be done each second.
    fn bound(&mut self) {
        let mut memory = self.memory();
        if memory <= self.bounds.memory && self.tracks.len() <= self.bounds.listeners {
            return;
        }
        let mut order: Vec<_> =
            self.tracks.iter().map(|(id, track)| (track.trouble, track.active, *id)).collect();
        order.sort_unstable();
        let wanted = self.bounds.memory - self.bounds.memory / 10;
        let surplus = order.len().saturating_sub(self.bounds.listeners);
        for (_, _, id) in order.drain(..surplus) {
            memory -= self.tracks.remove(&id).map_or(0, |track| track.memory());
            self.evicted += 1;
        }
        for (_, _, id) in &order {
            if memory > wanted
                && let Some(track) = self.tracks.get_mut(id)
                && track.seconds.series.count() > 0
            {
                memory -= track.seconds.series.memory();
                track.seconds.series = Series::default();
                self.shortened += 1;
            }
        }
        for (_, _, id) in order {
            if memory > wanted {
                memory -= self.tracks.remove(&id).map_or(0, |track| track.memory());
                self.evicted += 1;
            }
        }
    }
}

/// Whether there is nothing to keep of what was between two readings.
fn quiet(before: Option<&Totals>, now: &Totals) -> bool {
    let empty = |totals: &Totals| totals.waiting == 0 && totals.half_open == 0;
    let peaks = now.recent_accept_peak > 0 || now.recent_syn_peak > 0;
    let same = match before {
        Some(before) => empty(before) && before.outcomes == now.outcomes,
        None => now.is_empty(),
    };
    same && empty(now) && !peaks
}

/// How much trouble a listener has had: refusals, and milliseconds for which its accept queue was full.
fn trouble(totals: &Totals) -> u64 {
    let refused = totals.of_event(Event::SynRefused) + totals.of_event(Event::AckRefused);
    refused + totals.accept_full_ns / 1_000_000
}

impl Track {
    fn new() -> Self {
        let level = |length, time| Level {
            length,
            keep: time / length,
            series: Series::default(),
            open: None,
        };
        Self { seconds: level(1, HOUR), minutes: level(60, DAY), trouble: 0, active: 0 }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.seconds.memory() + self.minutes.memory()
    }

    /// Closes the intervals that are over by this second.
    fn close(&mut self, second: u32) {
        self.seconds.close(second);
        self.minutes.close(second);
    }

    /// Drops what is too old; whether anything is left.
    fn expire(&mut self, second: u32) -> bool {
        [&mut self.seconds, &mut self.minutes].into_iter().fold(false, |left, level| {
            level.series.drop_before((second / level.length).saturating_sub(level.keep));
            left || level.series.count() > 0 || level.open.is_some()
        })
    }
}

impl Level {
    fn note(&mut self, second: u32, before: Option<&Totals>, now: &Totals) {
        let interval = second / self.length;
        let (_, gathering) = self.open.get_or_insert_with(|| (interval, Box::default()));
        gathering.add(before, now);
    }

    /// Closes the open interval if it is over by now.
    fn close(&mut self, second: u32) {
        let over = |(interval, _): &mut (u32, _)| *interval != second / self.length;
        if let Some((interval, gathering)) = self.open.take_if(over)
            && let Some(point) = gathering.finish()
        {
            self.series.push(interval, &point);
        }
    }

    fn points(&self) -> impl Iterator<Item = (u32, Point)> {
        self.series.points().map(|(interval, point)| (interval * self.length, point))
    }

    fn memory(&self) -> usize {
        self.series.memory() + self.open.as_ref().map_or(0, |_| size_of::<Gathering>())
    }
}

#[cfg(test)]
mod tests;
