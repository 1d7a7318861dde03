//! How long things take, counted in the kernel by powers of two.

/// Number of buckets of a [`Histogram`]; a power of two, which the verifier understands as a mask.
pub const BUCKETS: usize = 32;

/// A distribution of times. Bucket 0 has those under a microsecond, bucket `n` those from 2^(n-1) up to
/// 2^n microseconds, the last one all that took longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Histogram {
    /// How many fell into each.
    pub buckets: [u64; BUCKETS],
    /// The sum of all, nanoseconds.
    pub sum_ns: u64,
}

/// How many binary digits each byte has.
pub static DIGITS: [u8; 256] = {
    let mut digits = [0; 256];
    let mut byte = 1;
    while byte < 256 {
        digits[byte] = digits[byte / 2] + 1;
        byte += 1;
    }
    digits
};

/// The bucket of a time in microseconds.
#[must_use]
pub fn bucket(microseconds: u64) -> usize {
    bucket_by(microseconds, |byte| DIGITS[byte as usize].into())
}

/// The same with [`DIGITS`] looked up by the caller: the number of binary digits. By a table, because BPF has no
/// instruction for that, and because most times have one or two bytes.
#[inline(always)]
#[must_use]
pub fn bucket_by(microseconds: u64, look_up: impl Fn(u64) -> u64) -> usize {
    let digits = |shift: u64| (shift + look_up(microseconds >> shift)) as usize;
    if microseconds < 1 << 8 {
        digits(0)
    } else if microseconds < 1 << 16 {
        digits(8)
    } else if microseconds < 1 << 24 {
        digits(16)
    } else if microseconds < 1 << (BUCKETS - 2) {
        digits(24)
    } else {
        BUCKETS - 1
    }
}

/// The times of a bucket are below this, nanoseconds; nothing for the last one.
#[must_use]
pub const fn below_ns(bucket: usize) -> Option<u64> {
    if bucket + 1 < BUCKETS { Some(1000 << bucket) } else { None }
}

impl Histogram {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum = sum.wrapping_add(count);
        }
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
    }

    /// What came since an earlier state of the same.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.buckets.iter_mut().zip(before.buckets) {
            *count = count.wrapping_sub(before);
        }
        since.sum_ns = since.sum_ns.wrapping_sub(before.sum_ns);
        since
    }

    /// The bucket below or in which this share of them lies, from 0 to 1; nothing if there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<usize> {
        let count = self.count();
        let wanted = quantile * count as f64;
        let mut so_far = 0;
        let found = self.buckets.iter().position(|count| {
            so_far += count;
            so_far as f64 >= wanted && so_far > 0
        });
        found.filter(|_| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_that_ends_above_it() {
        assert_eq!(
            (bucket(0), bucket(1), bucket(2), bucket(3), bucket(4), bucket(u64::MAX)),
            (0, 1, 2, 2, 3, BUCKETS - 1)
        );
        for us in (0..50).flat_map(|power| [(1u64 << power) - 1, 1 << power, 3 << power]) {
            let (bucket, time) = (bucket(us), 1000 * us);
            assert!(below_ns(bucket).is_none_or(|end| time < end), "{time} in {bucket}");
            let begin = bucket.checked_sub(1).and_then(below_ns).unwrap_or(0);
            assert!(time >= begin, "{time} in {bucket}");
        }
    }

    #[test]
    fn quantiles_lie_where_the_counts_are() {
        let mut times = Histogram::default();
        assert_eq!(times.quantile(0.5), None);
        (times.buckets[3], times.buckets[9]) = (90, 10);
        let at = |quantile| times.quantile(quantile);
        assert_eq!(
            [at(0.0), at(0.5), at(0.9), at(0.91), at(1.0)],
            [Some(3), Some(3), Some(3), Some(9), Some(9)]
        );
        assert_eq!(times.since(&times).count(), 0);
    }
}
