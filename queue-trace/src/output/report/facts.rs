//! What a report is made of.

use std::time::Duration;

use jiff::Timestamp;

use crate::diagnose::{Diagnosis, Rule};
use crate::model::{Listener, Observed, Snapshot, Totals, Trails, Victims};
use crate::recording::Header;
use crate::source::Census;
use crate::whatif::Courses;

/// What happened, as far as it was seen.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Where, and how it was watched.
    pub header: &'a Header,
    /// The recording's file; nothing of what was watched live.
    pub recording: Option<&'a str>,
    /// When it began, nanoseconds of the monotonic clock; in a later file of a recording, when that began.
    pub begin_ns: u64,
    /// Everything that was counted by the end of it.
    pub snapshot: &'a Snapshot,
    /// What was to be seen around the listeners.
    pub census: &'a Census,
    /// What is said of the listeners, the worst first.
    pub verdicts: &'a [Diagnosis],
    /// What the records told.
    pub observed: &'a Observed,
    /// How each listener fared over time.
    pub trails: &'a Trails,
    /// Who was refused.
    pub victims: &'a Victims,
    /// What to compute other backlogs from.
    pub courses: &'a Courses,
}

impl<'a> Facts<'a> {
    /// How long it was watched, nanoseconds.
    pub(super) fn watched_ns(&self) -> u64 {
        self.end_ns().saturating_sub(self.begin_ns)
    }

    /// When it ended, nanoseconds of the monotonic clock.
    pub(super) fn end_ns(&self) -> u64 {
        self.snapshot.time_ns
    }

    /// The wall clock when it began.
    pub(super) fn began(&self) -> Timestamp {
        let later = self.begin_ns.saturating_sub(self.header.start_ns);
        self.header.wall.saturating_add(Duration::from_nanos(later)).unwrap_or(self.header.wall)
    }

    /// The listeners with what is said of each, the worst first.
    pub(super) fn judged(
        &self,
    ) -> impl Iterator<Item = (&'a Diagnosis, &'a Listener, &'a Totals)> + use<'a> {
        let (verdicts, snapshot) = (self.verdicts, self.snapshot);
        verdicts.iter().filter_map(|diagnosis| {
            let (listener, totals) = snapshot.listeners.get(diagnosis.listener)?;
            Some((diagnosis, listener, totals))
        })
    }

    /// Those of them at which something is wrong.
    pub(super) fn troubled(
        &self,
    ) -> impl Iterator<Item = (&'a Diagnosis, &'a Listener, &'a Totals)> + use<'a> {
        self.judged().filter(|(diagnosis, ..)| diagnosis.main.rule != Rule::Healthy)
    }
}
