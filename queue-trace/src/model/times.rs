//! Waits and handshakes.

use hdrhistogram::Histogram;

/// A distribution of times, nanoseconds, to three significant digits.
#[derive(Debug, Clone)]
pub struct Times {
    histogram: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "three significant digits are always accepted")]
        let histogram = Histogram::new(3).expect("1 to 5 significant digits are valid");
        Self { histogram }
    }
}

impl Times {
    /// Adds one.
    pub fn record(&mut self, nanoseconds: u64) {
        // It grows as needed; what not even that holds (above 2^62) counts as the longest it has.
        if self.histogram.record(nanoseconds).is_err() {
            self.histogram.saturating_record(nanoseconds);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The time that this share of them does not exceed; `quantile` from 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile)
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.histogram.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_microseconds_keep_three_digits() {
        let mut times = Times::default();
        for time in [2_000, 1_500_000_000, 8_000_000_000] {
            times.record(time);
        }
        assert_eq!(times.count(), 3);
        let near = |time: u64, expected: u64| time.abs_diff(expected) <= expected / 1000;
        assert!(near(times.quantile(0.5), 1_500_000_000), "{}", times.quantile(0.5));
        assert!(near(times.max(), 8_000_000_000), "{}", times.max());
    }
}
