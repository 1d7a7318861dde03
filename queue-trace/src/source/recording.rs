//! A recording as a source.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::Path;

use anyhow::Context;

use super::census::Census;
use super::recorded;
use super::status::{Before, Status};
use crate::model::{Listener, QueueEvent, Snapshot, Totals};
use crate::recording::{Header, Loss, Part, Step, open_parts};

/// What was seen, in the order in which it was seen; in one file or several.
#[derive(Debug)]
pub struct Recording {
    /// Of the first file.
    header: Header,
    /// The file that is being read.
    part: Part,
    /// Those after it.
    later: VecDeque<Part>,
    /// How many events and counts of the files before it are of a later version.
    unknown: u64,
    gaps: Vec<Gap>,
    /// Around the listeners, at first.
    first: Option<Census>,
    /// At the last status.
    before: Before,
    /// The greatest depths of both queues since then, by number of the listener. Each snapshot has those
    /// since the one before.
    peaks: HashMap<u32, (u32, u32)>,
}

/// What of a recording was not there to be read: its events are not shown, but counted, where a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Of a file of several, counted from 1 on, or the only one.
    Lost(Option<u64>, Loss),
    /// Whole files between two others: the first and the last one's numbers.
    Missing(u64, u64),
    /// The files after the last one.
    Continued(u64),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(Some(file), loss) => write!(f, "file {file}: {loss}"),
            Self::Lost(None, loss) => loss.fmt(f),
            Self::Missing(first, last) if first == last => write!(
                f,
                "file {first} of the recording is missing: what happened then is counted, but not shown"
            ),
            Self::Missing(first, last) => write!(
                f,
                "files {first} to {last} of the recording are missing: what happened then is counted, but not shown"
            ),
            Self::Continued(file) => write!(
                f,
                "the recording goes on after file {file}, in another one that is not beside it"
            ),
        }
    }
}

impl Recording {
    /// Opens a file, and those that belong to it: see [`open_parts`].
    ///
    /// # Errors
    ///
    /// One line for the user: what is wrong with it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let parts = open_parts(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut later = VecDeque::from(parts);
        let part = later.pop_front().context("a recording has at least one file")?;
        Ok(Self {
            header: part.header().clone(),
            part,
            later,
            unknown: 0,
            gaps: Vec::new(),
            first: None,
            before: Before::default(),
            peaks: HashMap::new(),
        })
    }

    /// What it is of, from the first file that is read on.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Hands over the events up to the next snapshot, until `each` answers false; whether there was one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read. What is damaged is no error: see [`Self::gaps`].
    pub fn advance(
        &mut self,
        mut each: impl FnMut(&Listener, &QueueEvent) -> bool,
    ) -> anyhow::Result<bool> {
        // A file begins with the snapshot that the one before ends with.
        let mut former = None;
        loop {
            match self.part.read(&mut each).context("cannot read the recording")? {
                Step::More | Step::Census => self.begin(),
                Step::End => {
                    former = former.or(Some(self.time_ns()));
                    if !self.turn() {
                        return Ok(false);
                    }
                }
                Step::Snapshot if former == Some(self.time_ns()) => {}
                Step::Snapshot => break,
            }
        }
        for (listener, totals) in self.part.counted() {
            let (accept, syn) = self.peaks.entry(listener.id).or_default();
            *accept = totals.recent_accept_peak.max(*accept);
            *syn = totals.recent_syn_peak.max(*syn);
        }
        Ok(true)
    }

    /// Goes on to the next file, if there is one, and notes what is missing before it.
    fn turn(&mut self) -> bool {
        let Some(next) = self.later.pop_front() else { return false };
        let (file, begins) = (self.part.header().part + 1, next.header().part + 1);
        self.gaps.extend(self.lost(true));
        if begins > file + 1 {
            self.gaps.push(Gap::Missing(file + 1, begins - 1));
        }
        self.unknown += self.part.unknown();
        self.part = next;
        true
    }

    /// What of this file could not be read.
    fn lost(&self, several: bool) -> Option<Gap> {
        let file = self.part.header().part + 1;
        self.part.loss().map(|loss| Gap::Lost(several.then_some(file), loss))
    }

    /// When the last snapshot was taken, nanoseconds of the monotonic clock.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.part.time_ns()
    }

    /// The listeners of the last snapshot, and what had happened at them.
    pub fn counted(&self) -> impl Iterator<Item = (&Listener, &Totals)> {
        self.part.counted()
    }

    /// Everything that was counted up to the last snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.part.snapshot()
    }

    /// The listeners with anything in their queues between the last call and the last snapshot.
    pub fn status(&mut self) -> Vec<Status> {
        let peaks = std::mem::take(&mut self.peaks);
        let listeners = self.part.counted().map(|(listener, totals)| {
            let mut totals = *totals;
            let peaks = peaks.get(&listener.id).copied();
            (totals.recent_accept_peak, totals.recent_syn_peak) = peaks.unwrap_or_default();
            (listener.clone(), totals)
        });
        self.before.next(listeners)
    }

    /// What was last to be seen around the listeners, if that was recorded.
    #[must_use]
    pub fn census(&self) -> Option<Census> {
        self.part.census().cloned().map(recorded::read)
    }

    /// What was to be seen around the listeners that were watched, at first and at last; nothing where it was not
    /// recorded, as in files of the first version.
    #[must_use]
    pub fn surroundings(&self) -> (Census, Census) {
        let mut last = self.census().unwrap_or_default();
        let ports = &self.header().ports;
        for contents in &mut last.namespaces {
            // Of others it is not known whether anything happened at them.
            contents.listeners.retain(|one| ports.is_empty() || ports.contains(&one.port));
        }
        (self.first.clone().unwrap_or_default(), last)
    }

    /// Goes to where this file begins, and says when that is. One that continues another begins later than the
    /// recording, and with a snapshot.
    ///
    /// # Errors
    ///
    /// As [`Self::advance`].
    pub fn start(&mut self) -> anyhow::Result<u64> {
        if self.header().part == 0 {
            return Ok(self.header().start_ns);
        }
        self.advance(|_, _| true)?;
        Ok(self.time_ns())
    }

    /// Keeps the first census.
    fn begin(&mut self) {
        if self.first.is_none() {
            self.first = self.census();
        }
    }

    /// What of it could not be read, as far as it was read.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let part = self.part.header().part;
        let lost = self.lost(part > self.header.part);
        let continued = self.later.is_empty() && self.part.continued();
        let end = lost.into_iter().chain(continued.then_some(Gap::Continued(part + 1)));
        self.gaps.iter().copied().chain(end).collect()
    }

    /// How many events and counts are of a later version and not shown.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown + self.part.unknown()
    }
}
