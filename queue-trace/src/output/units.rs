//! Times as people read them.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

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
