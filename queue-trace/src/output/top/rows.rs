//! The listeners as rows: what is known of each at the time that is shown, which ones, and in which order.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use queue_trace_common::Histogram;

use super::bar::Queue;
use super::columns::Column;
use super::plight::Plight;
use super::said::Word;
use super::state::State;
use super::theme::Level;
use crate::diagnose::Severity;
use crate::model::{Frame, Listener, Moment, Totals};
use crate::output::owners;

/// Peaks are those of this time.
const MINUTE_NS: u64 = 60_000_000_000;
/// Waits, and what is said to go on, are of this time.
const SECONDS_NS: u64 = 10_000_000_000;

/// One listener at the time that is shown.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) listener: &'a Listener,
    /// All that was counted up to now.
    pub(super) totals: &'a Totals,
    frame: &'a Frame,
    /// Nothing if it was quiet.
    moment: Option<&'a Moment>,
    pub(super) accept: Queue,
    pub(super) syn: Queue,
    /// Waits of the last seconds.
    pub(super) waits: Histogram,
    /// How many it refused in them.
    pub(super) refused: u64,
    plight: Plight,
    /// What is said of it, unless all is well.
    said: Option<Word>,
}

/// What came together of a listener lately.
#[derive(Debug, Default)]
struct Recent {
    accept_peak: u32,
    syn_peak: u32,
    waits: Histogram,
    /// In the last seconds, and in the last minute.
    refused: (u64, u64),
}

impl State {
    /// The rows to be shown, in their order.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = self.all_rows();
        let words: Vec<_> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        rows.retain(|row| row.matches(&words));
        rows.sort_by(|one, other| {
            let order = one.compare(other, self.sort);
            let order = if self.reversed { order.reverse() } else { order };
            order.then_with(|| one.compare(other, Column::Verdict)).then_with(|| one.place(other))
        });
        rows
    }

    /// The chosen listener's row.
    pub(super) fn row(&self) -> Option<Row<'_>> {
        match self.selected {
            Some(id) => self.all_rows().into_iter().find(|row| row.listener.id == id),
            None => self.rows().into_iter().next(),
        }
    }

    fn all_rows(&self) -> Vec<Row<'_>> {
        let Some((at, frame)) = self.shown().zip(self.frame()) else { return Vec::new() };
        let recent = self.recent();
        let rows = self.snapshot.listeners.iter().filter_map(|(listener, totals)| {
            let lately = recent.get(&listener.id);
            // Those that closed long ago are of no interest.
            (!listener.closed || lately.is_some())
                .then(|| Row::new(listener, totals, frame, lately))
                .map(|row| Row { said: self.said.of(at, listener.id), ..row })
        });
        rows.collect()
    }

    fn recent(&self) -> HashMap<u32, Recent> {
        let mut all: HashMap<u32, Recent> = HashMap::new();
        let Some((at, now)) = self.shown().zip(self.frame()) else { return all };
        for frame in self.timeline.back(at, MINUTE_NS) {
            let just_now = now.time_ns - frame.time_ns < SECONDS_NS;
            for moment in frame.moments() {
                let recent = all.entry(moment.listener).or_default();
                recent.accept_peak = recent.accept_peak.max(moment.accept_peak);
                recent.syn_peak = recent.syn_peak.max(moment.syn_peak);
                recent.refused.1 += u64::from(moment.refused());
                if just_now {
                    recent.refused.0 += u64::from(moment.refused());
                    moment.add_waits(&mut recent.waits);
                }
            }
        }
        all
    }
}

impl<'a> Row<'a> {
    fn new(
        listener: &'a Listener,
        totals: &'a Totals,
        frame: &'a Frame,
        recent: Option<&Recent>,
    ) -> Self {
        let none = Recent::default();
        let lately = recent.unwrap_or(&none);
        let moment = frame.of(listener.id);
        let limit = moment.map_or(listener.limit, |moment| moment.limit);
        let depth = |of: fn(&Moment) -> u32| moment.map_or(0, of);
        let accept = Queue { depth: depth(|m| m.waiting), peak: lately.accept_peak, limit };
        let syn = Queue { depth: depth(|m| m.half_open), peak: lately.syn_peak, limit };
        let plight = match listener.closed {
            true => Plight::Closed,
            false => Plight::of(accept, lately.refused, recent.is_some()),
        };
        let (waits, refused) = (lately.waits, lately.refused.0);
        Self { listener, totals, frame, moment, accept, syn, waits, refused, plight, said: None }
    }

    /// How many a second there were of something.
    pub(super) fn rate(&self, of: impl Fn(&Moment) -> u32) -> Option<f64> {
        self.frame.rate(self.moment.map_or(0, of))
    }

    /// For how long the first in the accept queue waits, nanoseconds.
    pub(super) fn oldest_ns(&self) -> Option<u64> {
        self.moment.and_then(|moment| moment.oldest_ns)
    }

    /// Who holds it.
    pub(super) fn owner(&self) -> String {
        owners::label(&self.listener.owners).unwrap_or_else(|| "–".to_owned())
    }

    /// How bad it is.
    pub(super) fn level(&self) -> Level {
        self.plight.level().max(self.said.map_or(Level::Quiet, |(severity, _)| level(severity)))
    }

    /// How it fares, in a word: what is said of it, unless its plight is worse than that.
    pub(super) fn word(&self) -> String {
        match self.said {
            Some((severity, rule)) if level(severity) >= self.plight.level() => {
                rule.name().replace('_', " ")
            }
            _ => self.plight.word().to_owned(),
        }
    }

    /// Whether all of these are found in what the row says.
    fn matches(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let text = format!("{} {} {}", self.listener.name(), self.owner(), self.word());
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Which comes first: the greater, the worse, or the first of the alphabet.
    fn compare(&self, other: &Self, column: Column) -> Ordering {
        let fall = |of: fn(&Self) -> f64| of(other).total_cmp(&of(self));
        let rate = |of: fn(&Moment) -> u32| {
            let rate = |row: &Self| row.rate(of).unwrap_or(0.0);
            rate(other).total_cmp(&rate(self))
        };
        match column {
            Column::Listener => self.place(other),
            Column::Accept => fall(|row| row.accept.share()),
            Column::Syn => fall(|row| row.syn.share()),
            Column::Syns => rate(|moment| moment.syns),
            Column::Established => rate(|moment| moment.established),
            Column::Accepts => rate(|moment| moment.accepts),
            Column::Refusals => rate(|moment| moment.refused().max(moment.drops)),
            Column::Median => other.waits.quantile(0.5).cmp(&self.waits.quantile(0.5)),
            Column::Slowest => other.waits.quantile(0.99).cmp(&self.waits.quantile(0.99)),
            Column::Oldest => other.oldest_ns().cmp(&self.oldest_ns()),
            Column::Owner => self.owner().cmp(&other.owner()),
            Column::Verdict => {
                let worst = |row: &Self| {
                    let severity = row.said.map(|(severity, _)| severity);
                    (row.level(), severity, row.plight, row.refused, row.accept.depth)
                };
                Reverse(worst(self)).cmp(&Reverse(worst(other)))
            }
        }
    }

    fn place(&self, other: &Self) -> Ordering {
        let place = |row: &Self| {
            let Listener { address, port, netns, id, .. } = *row.listener;
            (id == 0, address, port, netns, id)
        };
        place(self).cmp(&place(other))
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Fine => Level::Quiet,
        Severity::Note => Level::Good,
        Severity::Warning => Level::Warning,
        Severity::Critical => Level::Bad,
    }
}
