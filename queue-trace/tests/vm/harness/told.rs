//! What the summary tells of a listener, line by line.

use std::collections::BTreeMap;
use std::time::Duration;

use super::summary::Section;

/// Counts of outcomes: an event, and its reason or nothing.
pub(crate) type Counts = BTreeMap<(String, String), u64>;

impl Section {
    /// The line that begins with these words, without them.
    pub(crate) fn row(&self, words: &str) -> Option<&str> {
        self.rows.iter().find_map(|row| row.strip_prefix(words)).map(str::trim)
    }

    /// The number in front of these words; 0 if they are not there.
    pub(crate) fn tally(&self, words: &str) -> u64 {
        let number = |row: &String| {
            let (number, rest) = row.split_once(' ')?;
            rest.contains(words).then(|| number.parse().ok()).flatten()
        };
        self.rows.iter().find_map(number).unwrap_or_default()
    }

    /// Its outcomes: how often which event happened, by its reason or nothing.
    pub(crate) fn outcomes(&self) -> Counts {
        let mut counts = Counts::new();
        for row in &self.rows {
            let (event, rest) = row.split_once(' ').unwrap_or((row, ""));
            let Some(total) = self.counts.get(event) else { continue };
            let reasons = reasons(rest);
            let told: u64 = reasons.iter().map(|(count, _)| count).sum();
            for (count, reason) in reasons {
                counts.insert((event.to_owned(), reason.to_owned()), count);
            }
            if *total > told {
                counts.insert((event.to_owned(), String::new()), total - told);
            }
        }
        counts
    }

    /// How long the accept queue and the SYN queue were full.
    pub(crate) fn time_full(&self) -> (Duration, Duration) {
        let Some(row) = self.row("time full") else { return Default::default() };
        let (accept, syn) = row.split_once(", ").unwrap();
        let time = |part: &str| duration(part.rsplit_once(" queue ").unwrap().1);
        (time(accept), time(syn))
    }

    /// How many connections still wait, and the first of them for how long.
    pub(crate) fn still_waiting(&self) -> (u64, Duration) {
        let Some(row) = self.row("still waiting") else { return Default::default() };
        let (count, time) = row.split_once(" connections, the first of them for ").unwrap();
        (count.parse().unwrap(), duration(time))
    }
}

/// A time as the summary writes it, like `4.21 s`; its last digit may be rounded.
pub(crate) fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_once(' ').unwrap();
    let unit = match unit {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => panic!("{text} is no time"),
    };
    Duration::from_secs_f64(number.parse::<f64>().unwrap() * unit)
}

/// `   7  5 accept_queue_full, 2 syn_queue_full`: the counts of the reasons.
fn reasons(row: &str) -> Vec<(u64, &str)> {
    let Some((_, reasons)) = row.trim_start().split_once("  ") else { return Vec::new() };
    let pair = |text: &'_ str| -> Option<(u64, usize)> {
        let (count, reason) = text.trim().split_once(' ')?;
        Some((count.parse().ok()?, reason.len()))
    };
    reasons
        .split(", ")
        .filter_map(|text| {
            let (count, length) = pair(text)?;
            Some((count, &text[text.len() - length..]))
        })
        .collect()
}
