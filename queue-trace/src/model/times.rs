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
        // The histogram grows as needed, up to 2^63.
        self.histogram.saturating_record(nanoseconds);
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
