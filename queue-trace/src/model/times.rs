//! Waits and handshakes.

/// Each power of two is told apart in 2^10 parts: three significant digits.
const BITS: u32 = 10;
const PARTS: usize = 1 << BITS;

/// Counts of the times of one power of two. A part that reaches `u32::MAX` stays there.
type Octave = Box<[u32; PARTS]>;

/// A distribution of times, nanoseconds, to three significant digits.
///
/// Memory is taken by the octave, 4 KiB each, when the first time falls into it: the times at one
/// listener lie close together, and there may be thousands of listeners.
#[derive(Debug, Clone, Default)]
pub struct Times {
    octaves: Vec<Option<Octave>>,
    count: u64,
    max: u64,
}

impl Times {
    /// Adds one.
    pub fn record(&mut self, nanoseconds: u64) {
        let (octave, part) = place(nanoseconds);
        if octave >= self.octaves.len() {
            self.octaves.resize(octave + 1, None);
        }
        let parts = self.octaves[octave].get_or_insert_with(|| Box::new([0; PARTS]));
        parts[part] = parts[part].saturating_add(1);
        self.count += 1;
        self.max = self.max.max(nanoseconds);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that this share of them does not exceed; `quantile` from 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> u64 {
        let wanted = ((quantile * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        for (octave, parts) in self.octaves.iter().enumerate() {
            for (part, count) in parts.iter().flat_map(|parts| parts.iter()).enumerate() {
                below += u64::from(*count);
                if below >= wanted {
                    return longest(octave, part);
                }
            }
        }
        self.max()
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> u64 {
        if self.count == 0 {
            return 0;
        }
        let (octave, part) = place(self.max);
        longest(octave, part)
    }
}

/// The octave of a time and the part of it: octave 0 is below `PARTS`, each further one twice as long
/// as what is below it.
fn place(nanoseconds: u64) -> (usize, usize) {
    let octave = u64::BITS - (nanoseconds >> BITS).leading_zeros();
    let part = (nanoseconds >> octave.saturating_sub(1)) as usize % PARTS;
    (octave as usize, part)
}

/// The longest time in a part of an octave.
fn longest(octave: usize, part: usize) -> u64 {
    let Some(shift) = octave.checked_sub(1) else { return part as u64 };
    let first = ((PARTS + part) as u64) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn none_is_zero() {
        let times = Times::default();
        assert_eq!((times.count(), times.quantile(0.5), times.max()), (0, 0, 0));
    }

    #[test]
    fn the_extremes_have_a_place() {
        for time in [0, 1, 1023, 1024, 2047, 2048, u64::MAX] {
            let mut times = Times::default();
            times.record(time);
            let shown = times.quantile(0.5);
            assert!(shown >= time && shown - time <= time / 1000, "{time}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_times(mut list in prop::collection::vec(0..1u64 << 40, 1..200)) {
            let mut times = Times::default();
            list.iter().for_each(|time| times.record(*time));
            list.sort_unstable();
            for quantile in [0.0, 0.5, 0.9, 0.99, 1.0] {
                let rank = ((quantile * list.len() as f64).ceil() as usize).max(1);
                let expected = list[rank - 1];
                let shown = times.quantile(quantile);
                prop_assert!(shown >= expected && shown - expected <= expected / 1000);
            }
        }
    }
}
