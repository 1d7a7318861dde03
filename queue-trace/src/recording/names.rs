//! What the numbers in a file mean. The numbers of the program change from version to version; the names
//! do not, and each file has those of its numbers.

use queue_trace_common::{Fault, Outcome, Tally};

/// All tallies, in the order of their numbers.
const TALLIES: [Tally; Tally::COUNT] = [
    Tally::CookieChosen,
    Tally::FastopenCookieRequested,
    Tally::FastopenQueueFull,
    Tally::FastopenFallback,
    Tally::FastopenFallbackOverflow,
    Tally::MigratedHere,
];

/// An outcome's name: its event and, where it has one, its reason.
pub(super) fn outcome(outcome: Outcome) -> String {
    match outcome.reason() {
        Some(reason) => format!("{} {reason}", outcome.event().name()),
        None => outcome.event().name().to_owned(),
    }
}

const fn tally(tally: Tally) -> &'static str {
    match tally {
        Tally::CookieChosen => "cookie_chosen",
        Tally::FastopenCookieRequested => "fastopen_cookie_requested",
        Tally::FastopenQueueFull => "fastopen_queue_full",
        Tally::FastopenFallback => "fastopen_fallback",
        Tally::FastopenFallbackOverflow => "fastopen_fallback_overflow",
        Tally::MigratedHere => "migrated_here",
    }
}

const fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::SlotsExhausted => "slots_exhausted",
        Fault::WorkersExhausted => "workers_exhausted",
    }
}

/// The names of all outcomes, tallies and faults of this program, by number.
pub(super) fn all() -> [Vec<String>; 3] {
    [
        Outcome::ALL.iter().map(|one| outcome(*one)).collect(),
        TALLIES.iter().map(|one| tally(*one).to_owned()).collect(),
        Fault::ALL.iter().map(|one| fault(*one).to_owned()).collect(),
    ]
}

/// What the numbers in one file stand for; nothing for what this program does not know.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    outcomes: Vec<Option<Outcome>>,
    tallies: Vec<Option<Tally>>,
    faults: Vec<Option<Fault>>,
}

impl Numbers {
    /// Understands the names of a file.
    pub(super) fn new(outcomes: &[String], tallies: &[String], faults: &[String]) -> Self {
        let find_outcome =
            |name: &String| Outcome::ALL.iter().copied().find(|known| outcome(*known) == *name);
        let find_tally = |name: &String| TALLIES.into_iter().find(|known| tally(*known) == name);
        let find_fault = |name: &String| Fault::ALL.into_iter().find(|known| fault(*known) == name);
        Self {
            outcomes: outcomes.iter().map(find_outcome).collect(),
            tallies: tallies.iter().map(find_tally).collect(),
            faults: faults.iter().map(find_fault).collect(),
        }
    }

    /// The outcome of a number.
    pub(super) fn outcome(&self, number: u64) -> Option<Outcome> {
        self.outcomes.get(usize::try_from(number).ok()?).copied().flatten()
    }

    /// The tally of a number.
    pub(super) fn tally(&self, number: u64) -> Option<Tally> {
        self.tallies.get(usize::try_from(number).ok()?).copied().flatten()
    }

    /// The fault of a number.
    pub(super) fn fault(&self, number: u64) -> Option<Fault> {
        self.faults.get(usize::try_from(number).ok()?).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_stands_for_one_thing() {
        let [outcomes, tallies, faults] = all();
        assert_eq!(outcomes.iter().collect::<HashSet<_>>().len(), Outcome::COUNT);
        let numbers = Numbers::new(&outcomes, &tallies, &faults);
        for (number, known) in Outcome::ALL.iter().enumerate() {
            assert_eq!(numbers.outcome(number as u64), Some(*known));
        }
        for (number, known) in TALLIES.into_iter().enumerate() {
            assert_eq!(number, known as usize);
            assert_eq!(numbers.tally(number as u64), Some(known));
        }
        assert_eq!(numbers.fault(0), Some(Fault::SlotsExhausted));
        assert_eq!(numbers.outcome(u64::MAX), None);
    }

    #[test]
    fn the_numbers_of_another_version_are_understood_by_name() {
        let names = ["of the future", "syn_refused accept_queue_full"].map(str::to_owned);
        let numbers = Numbers::new(&names, &[], &[]);
        assert_eq!(
            [numbers.outcome(0), numbers.outcome(1)],
            [None, Some(Outcome::SynAcceptQueueFull)]
        );
    }
}
