//! What the summary tells of a listener beside counts and peaks, one line each.

use std::time::Duration;

use super::summary::Section;

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
