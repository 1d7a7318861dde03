//! The greatest of the latest values.

use std::collections::VecDeque;

/// The greatest value of the last [`Self::SPAN_NS`]; what is read less often than values come misses none.
#[derive(Debug, Clone)]
pub struct Recent<T> {
    /// Times and values, each value smaller than those before it: the others can never be the greatest.
    values: VecDeque<(u64, T)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { values: VecDeque::new() }
    }
}

impl<T: Copy + PartialOrd + Default> Recent<T> {
    /// A minute: scrapes are rarely further apart.
    pub const SPAN_NS: u64 = 60_000_000_000;

    /// Adds the value of a time, nanoseconds, not before those of earlier calls.
    pub fn push(&mut self, time_ns: u64, value: T) {
        while self.values.back().is_some_and(|(_, last)| *last <= value) {
            self.values.pop_back();
        }
        self.values.push_back((time_ns, value));
        while self.values.front().is_some_and(|(time, _)| time_ns - time > Self::SPAN_NS) {
            self.values.pop_front();
        }
    }

    /// The greatest; zero if there is none.
    #[must_use]
    pub fn greatest(&self) -> T {
        self.values.front().map(|(_, value)| *value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_seen_for_a_minute_and_then_forgotten() {
        let mut recent = Recent::default();
        assert_eq!(recent.greatest(), 0);
        let second = 1_000_000_000;
        let mut seen = Vec::new();
        for time in 0..70 {
            recent.push(time * second, if time == 5 { 9 } else { time % 3 });
            seen.push(recent.greatest());
        }
        assert_eq!((seen[4], seen[5], seen[65], seen[66]), (2, 9, 9, 2));
        assert!(recent.values.len() <= 3, "{:?}", recent.values);
    }
}
