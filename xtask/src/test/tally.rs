//! Counting what passed and failed.

use std::fmt;
use std::iter::Sum;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Why those failed that said so: shown last, when everything else has scrolled away.
    pub(super) reasons: Vec<String>,
}

impl Tally {
    /// Nothing passed and one thing failed.
    pub(super) const FAILURE: Self = Self { passed: 0, failed: 1, reasons: Vec::new() };

    /// The numbers in a line `test result: ok. 3 passed; 0 failed; …`.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        let number = |unit: &str| {
            let part = counts.split("; ").find_map(|part| part.strip_suffix(unit))?;
            part.trim().parse().ok()
        };
        let (passed, failed) = (number(" passed")?, number(" failed")?);
        Some(Self { passed, failed, reasons: Vec::new() })
    }

    /// What a line `test NAME ... ok` tells.
    pub(super) fn of_test(line: &str) -> Self {
        let result = line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... "));
        match result {
            Some((_, "ok")) => Self { passed: 1, ..Self::default() },
            Some((_, "FAILED")) => Self::FAILURE,
            _ => Self::default(),
        }
    }

    /// A program that failed without saying which test did is one failure more.
    pub(super) fn unless_hidden(self, success: bool) -> Self {
        Self { failed: self.failed.max(u32::from(!success)), ..self }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.reasons.extend(other.reasons);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut total, tally| {
            total += tally;
            total
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn reads_result_lines() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.2s";
        assert_eq!(Tally::of_line(line), Some(Tally { passed: 12, failed: 3, ..Tally::default() }));
        assert_eq!(Tally::of_line("test result ... ok"), None);
    }

    #[test]
    fn reads_the_lines_of_tests() {
        let tally = |line| Tally::of_test(line);
        assert_eq!(tally("test full_queue::v4  ... ok"), Tally { passed: 1, ..Tally::default() });
        assert_eq!(tally("test full_queue::v6  ... FAILED"), Tally::FAILURE);
        for other in ["test full_queue::v6  ... ", "test result: ok. 3 passed", "a ... ok"] {
            assert_eq!(tally(other), Tally::default());
        }
    }

    #[test]
    fn a_silent_failure_counts_once() {
        assert_eq!(Tally::default().unless_hidden(false), Tally::FAILURE);
        assert_eq!(Tally::FAILURE.unless_hidden(false), Tally::FAILURE);
        assert_eq!(Tally::default().unless_hidden(true), Tally::default());
    }
}
