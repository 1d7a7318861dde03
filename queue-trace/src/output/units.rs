//! Times as people read them.

use std::fmt;

use queue_trace_common::{Histogram, below_ns};

/// Nanoseconds, shown with three significant digits in the unit that fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            ns @ ..1_000 => return f.pad(&format!("{ns} ns")),
            ns @ ..1_000_000 => (ns as f64 / 1e3, "µs"),
            ns @ ..1_000_000_000 => (ns as f64 / 1e6, "ms"),
            ns => (ns as f64 / 1e9, "s"),
        };
        let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        f.pad(&format!("{value:.digits$} {unit}"))
    }
}

/// A quantile of times that were counted by powers of two: `<1.02 ms`, or how long the longest took at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within<'a>(pub(super) &'a Histogram, pub(super) f64);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bucket = self.0.quantile(self.1).unwrap_or_default();
        match (below_ns(bucket), bucket.checked_sub(1).and_then(below_ns)) {
            (Some(end), _) => write!(f, "<{}", Time(end)),
            (None, begin) => write!(f, "≥{}", Time(begin.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_below_the_end_of_its_bucket() {
        let mut times = Histogram::default();
        (times.buckets[10], times.buckets[31]) = (99, 1);
        assert_eq!(Within(&times, 0.99).to_string(), "<1.02 ms");
        assert_eq!(Within(&times, 1.0).to_string(), "≥1074 s");
    }

    #[test]
    fn three_digits_in_the_unit_that_fits() {
        let shown = |ns| Time(ns).to_string();
        assert_eq!(shown(0), "0 ns");
        assert_eq!(shown(999), "999 ns");
        assert_eq!(shown(1_234), "1.23 µs");
        assert_eq!(shown(56_789_000), "56.8 ms");
        assert_eq!(shown(8_000_000_000), "8.00 s");
        assert_eq!(shown(125_000_000_000), "125 s");
    }
}
