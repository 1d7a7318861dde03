//! Numbers in few columns.

use queue_trace_common::{Histogram, below_ns};

use crate::output::units::Time;

/// A number with at most four digits, point included, and what it is multiplied by.
pub(super) fn count(number: f64) -> String {
    let (value, unit) = match number {
        n if n < 999.5 => (n, ""),
        n if n < 999.5e3 => (n / 1e3, "k"),
        n if n < 999.5e6 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    let whole = unit.is_empty() && (value.fract() == 0.0 || value >= 9.95);
    let digits = if whole || value >= 99.95 { 0 } else { usize::from(value < 99.95) };
    format!("{value:.digits$}{unit}")
}

/// A rate, if it is known.
pub(super) fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), count)
}

/// A time without a space.
pub(super) fn time(nanoseconds: u64) -> String {
    Time(nanoseconds).to_string().replace(' ', "")
}

/// What this share of the times does not exceed; nothing of none.
pub(super) fn within(times: &Histogram, quantile: f64) -> String {
    let Some(bucket) = times.quantile(quantile) else { return String::new() };
    match (below_ns(bucket), bucket.checked_sub(1).and_then(below_ns)) {
        (Some(end), _) => format!("<{}", time(end)),
        (None, begin) => format!("≥{}", time(begin.unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, shown) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (3.0, "3"),
            (9.96, "10"),
            (312.4, "312"),
            (999.6, "1.0k"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (4_096e3, "4.1M"),
            (7e10, "70.0G"),
        ] {
            assert_eq!(count(number), shown, "{number}");
        }
        assert_eq!((rate(None), rate(Some(2.0))), ("–".to_owned(), "2".to_owned()));
        assert_eq!(time(4_220_000_000), "4.22s");
    }
}
