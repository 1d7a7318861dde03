//! What the view knows, and what of it is to be seen.

use std::collections::HashMap;

use jiff::Timestamp;

use super::columns::Column;
use super::mouse::Hits;
use super::refused::Refused;
use super::said::Said;
use crate::diagnose::Diagnosis;
use crate::model::{Frame, Listener, Observed, QueueEvent, Snapshot, Timeline, Totals};
use crate::procfs::Sysctls;

/// Where what is shown comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// A time of the monotonic clock.
    pub start_ns: u64,
    /// The wall clock then.
    pub wall: Timestamp,
    /// Whether all counters were zero then.
    pub from_zero: bool,
    /// What cannot be seen, one phrase each.
    pub losses: Vec<String>,
    /// Where a recording is of; nothing of this machine now.
    pub recorded: Option<String>,
}

/// What the view is fed with.
#[derive(Debug, Default)]
pub struct Fed {
    /// Everything that was counted.
    pub snapshot: Snapshot,
    /// The events since the snapshot before, each with its listener's number.
    pub records: Vec<(u32, QueueEvent)>,
    /// What is said of listeners, by number.
    pub verdicts: HashMap<u32, Diagnosis>,
    /// The settings of each namespace, by inode, as far as they are known.
    pub settings: HashMap<u32, Sysctls>,
}

/// How a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Not at all, but for [`Self::steps`].
    pub paused: bool,
    /// So many times as fast as it was.
    pub speed: f64,
    /// So many snapshots are to be shown although it is paused.
    pub steps: u32,
    /// All was shown.
    pub ended: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { paused: false, speed: 1.0, steps: 0, ended: false }
    }
}

/// Over how many seconds graphs go.
pub(super) const SPANS: [u64; 5] = [60, 120, 300, 900, 3_600];

/// All that is shown, and how.
#[derive(Debug)]
pub struct State {
    pub(super) origin: Origin,
    pub(super) snapshot: Snapshot,
    pub(super) timeline: Timeline,
    pub(super) observed: Observed,
    pub(super) refused: Refused,
    pub(super) said: Said,
    /// What is said of listeners now, by number.
    pub(super) verdicts: HashMap<u32, Diagnosis>,
    pub(super) settings: HashMap<u32, Sysctls>,
    /// How the recording is played, if it is one.
    pub pace: Option<Pace>,
    /// The frame that is shown; the last one if none is chosen.
    pub(super) at: Option<u64>,
    pub(super) sort: Column,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// Whether the filter is being typed.
    pub(super) editing: bool,
    /// Number of the chosen listener; the first row if none was chosen.
    pub(super) selected: Option<u32>,
    /// Whether it is shown in full.
    pub(super) opened: bool,
    /// The first row, or the first line, that is shown.
    pub(super) scroll: usize,
    /// Which of [`SPANS`] graphs go over.
    pub(super) span: usize,
    pub(super) help: bool,
    /// Where things were drawn.
    pub(super) hits: Hits,
}

impl State {
    /// Nothing yet.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let pace = origin.recorded.as_ref().map(|_| Pace::default());
        let mut timeline = Timeline::default();
        if origin.from_zero {
            timeline.note(&Snapshot { time_ns: origin.start_ns, ..Snapshot::default() });
        }
        Self {
            origin,
            snapshot: Snapshot::default(),
            timeline,
            observed: Observed::default(),
            refused: Refused::default(),
            said: Said::default(),
            verdicts: HashMap::new(),
            settings: HashMap::new(),
            pace,
            at: None,
            sort: Column::Verdict,
            reversed: false,
            filter: String::new(),
            editing: false,
            selected: None,
            opened: false,
            scroll: 0,
            span: 1,
            help: false,
            hits: Hits::default(),
        }
    }

    /// Takes in what is new.
    pub fn feed(&mut self, fed: Fed) {
        let Fed { mut snapshot, records, verdicts, settings } = fed;
        for (listener, event) in &records {
            self.observed.take(*listener, event);
            self.refused.observe(*listener, event);
        }
        merge_others(&mut snapshot.listeners);
        self.timeline.note(&snapshot);
        if let Some((first, last)) = self.timeline.bounds() {
            self.said.note(first, last, &verdicts);
        }
        (self.snapshot, self.verdicts, self.settings) = (snapshot, verdicts, settings);
    }

    /// The number of the frame that is shown.
    pub(super) fn shown(&self) -> Option<u64> {
        let (first, last) = self.timeline.bounds()?;
        Some(self.at.map_or(last, |at| at.clamp(first, last)))
    }

    /// The frame that is shown.
    pub(super) fn frame(&self) -> Option<&Frame> {
        self.timeline.frame(self.shown()?)
    }

    /// Whether the counters of our own programs are there.
    pub(super) fn counts(&self) -> bool {
        self.snapshot.tier != "poll"
    }

    /// The wall clock at a time of the monotonic clock.
    pub(super) fn wall(&self, time_ns: u64) -> Timestamp {
        let passed = i128::from(time_ns) - i128::from(self.origin.start_ns);
        let wall = self.origin.wall.as_nanosecond() + passed;
        Timestamp::from_nanosecond(wall).unwrap_or(self.origin.wall)
    }

    /// Goes so many frames back, or on; beyond the last one the view follows what happens.
    pub(super) fn travel(&mut self, frames: i64) {
        let Some((first, last)) = self.timeline.bounds() else { return };
        let shown = self.shown().unwrap_or(last);
        let wanted = shown.saturating_add_signed(frames).max(first);
        self.at = (wanted < last).then_some(wanted);
    }

    /// Stops, or goes on with what happens now.
    pub(super) fn toggle_pause(&mut self) {
        match &mut self.pace {
            Some(pace) => pace.paused = !pace.paused,
            None if self.at.is_none() => self.at = self.shown(),
            None => self.at = None,
        }
    }

    /// Of how far back what is shown is, nanoseconds.
    pub(super) fn age_ns(&self) -> u64 {
        let shown = self.frame().map_or(0, |frame| frame.time_ns);
        self.snapshot.time_ns.saturating_sub(shown)
    }
}

/// Makes one of all that stand for several listeners: they have one number.
fn merge_others(listeners: &mut Vec<(Listener, Totals)>) {
    let mut sum: Option<(Listener, Totals)> = None;
    listeners.retain(|(listener, totals)| {
        if listener.id == 0 {
            match &mut sum {
                Some((_, sum)) => sum.add(totals),
                None => sum = Some((Listener { closed: false, ..listener.clone() }, *totals)),
            }
        }
        listener.id != 0
    });
    listeners.extend(sum);
}
