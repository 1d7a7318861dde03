//! The summary that `queue-trace trace` writes at its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::program;

/// The whole text, and what it says of each listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) text: String,
    pub(crate) listeners: Vec<Section>,
}

/// One listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) owners: String,
    pub(crate) limit: u32,
    pub(crate) netns: u64,
    pub(crate) closed: bool,
    /// Counts by kind of event.
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) accept_peak: u32,
    pub(crate) syn_peak: u32,
    /// All lines below the heading, without what is in front.
    pub(crate) rows: Vec<String>,
}

impl Summary {
    /// Reads it.
    pub(crate) fn parse(text: String) -> Self {
        let mut listeners: Vec<Section> = Vec::new();
        for line in text.lines() {
            if let Some(section) = heading(line) {
                listeners.push(section);
            } else if let (Some(section), Some(row)) =
                (listeners.last_mut(), line.strip_prefix("  "))
            {
                fill(section, row);
            }
        }
        Self { text, listeners }
    }

    /// How many calls of our probes the kernel skipped, as far as it counts them.
    pub(crate) fn skipped(&self) -> u64 {
        let line = self.text.lines().find(|line| line.contains("calls of our probes were skipped"));
        line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or_default()
    }

    /// How many records of a kind and reason (or none) were thinned, and how many found no room.
    pub(crate) fn left_out(&self, kind: &str, reason: &str) -> [u64; 2] {
        let name = format!("{kind} {reason}");
        ["records were thinned", "records found no room"].map(|what| {
            let line = self.text.lines().find(|line| line.contains(what)).unwrap_or_default();
            let kinds = line.split_once(" complete): ").unwrap_or_default().1.split(", ");
            let mut counts = kinds.filter_map(|kind| kind.split_once(' '));
            let count = counts.find(|(_, kind)| *kind == name.trim_end()).map(|(count, _)| count);
            count.map_or(0, |count| count.parse().unwrap())
        })
    }

    /// So many calls may have been skipped and not counted where our own probes can be interrupted: only kernels
    /// that do not count what they skip, by kprobes.
    pub(crate) fn skipped_uncounted(&self) -> u64 {
        const MOST: u64 = 3;
        let [_, silently] = program::HIDDEN_FROM_KPROBES;
        if self.text.contains(silently) { MOST } else { 0 }
    }

    /// By how much numbers may differ: not at all, but for as many calls as the kernel skipped of our
    /// kprobes and queue-trace says so.
    pub(crate) fn slack(&self) -> u64 {
        if program::by_kprobes() { self.skipped() } else { 0 }
    }

    /// What concerns one namespace, or none in particular.
    pub(crate) fn of(&self, netns: u64) -> Self {
        let concerns = |paragraph: &&str| {
            let place = paragraph.lines().next().unwrap_or_default();
            let mut numbers = place.split("namespace ").skip(1).map(|rest| {
                rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok())
            });
            numbers.next().is_none_or(|number| number == Some(netns))
        };
        let paragraphs: Vec<_> = self.text.split("\n\n").filter(concerns).collect();
        Self::parse(paragraphs.join("\n\n"))
    }

    /// The listeners at an address, in the order of the summary.
    pub(crate) fn at(&self, address: SocketAddr) -> Vec<&Section> {
        let name = address.to_string();
        self.listeners.iter().filter(|section| section.name == name).collect()
    }

    /// The one listener at an address.
    pub(crate) fn only(&self, address: SocketAddr) -> &Section {
        let found = self.at(address);
        assert_eq!(found.len(), 1, "one listener at {address} was expected in:\n{}", self.text);
        found[0]
    }
}

/// A line like `[::1]:80  vm-tests (7), limit 5, namespace 4026532000 (blue), closed`.
fn heading(line: &str) -> Option<Section> {
    if line.starts_with(' ') {
        return None;
    }
    let (name, rest) = line.split_once("  ")?;
    let (owners, rest) = rest.rsplit_once(", limit ")?;
    let (limit, rest) = rest.split_once(", namespace ")?;
    let (netns, closed) = match rest.strip_suffix(", closed") {
        Some(netns) => (netns, true),
        None => (rest, false),
    };
    Some(Section {
        name: name.to_owned(),
        owners: owners.to_owned(),
        limit: limit.parse().ok()?,
        netns: netns.split(' ').next()?.parse().ok()?,
        closed,
        ..Section::default()
    })
}

/// A line like `syn_refused   7  7 accept_queue_full`, or the one with the peaks.
fn fill(section: &mut Section, row: &str) {
    section.rows.push(row.trim_start().to_owned());
    if let Some(peaks) = row.strip_prefix("peak depth") {
        let numbers: Vec<u32> = peaks
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        let [accept, _limit, syn] = numbers[..] else { panic!("peaks in {row:?}?") };
        (section.accept_peak, section.syn_peak) = (accept, syn);
        return;
    }
    let mut words = row.split_ascii_whitespace();
    if let (Some(kind), Some(Ok(count))) = (words.next(), words.next().map(str::parse)) {
        section.counts.insert(kind.to_owned(), count);
    }
}
