//! Points one after the other, in few bytes.
//!
//! Each is stored as the distance in time from the one before, a mask of its fields that are not
//! zero, and those fields, all as variable-length integers: a quiet interval takes nothing, a busy one
//! some 10 to 25 bytes.

use std::collections::VecDeque;

use super::point::{FIELDS, Point};

/// Points in the order of their time, which is a number of intervals.
#[derive(Debug, Default)]
pub(super) struct Series {
    bytes: VecDeque<u8>,
    /// The time that the first point's distance counts from.
    begin: u32,
    /// The time of the last point.
    end: u32,
    count: u32,
}

impl Series {
    /// Adds a point behind the others.
    pub(super) fn push(&mut self, time: u32, point: &Point) {
        if self.bytes.is_empty() {
            (self.begin, self.end) = (time, time);
        }
        let fields = point.fields();
        let mask = fields.iter().enumerate().filter(|(_, field)| **field != 0);
        let mask = mask.fold(0, |mask, (at, _)| mask | 1 << at);
        self.write(time.saturating_sub(self.end));
        self.write(mask);
        for field in fields.into_iter().filter(|field| *field != 0) {
            self.write(field);
        }
        self.end = self.end.max(time);
        self.count += 1;
    }

    /// Drops the points before a time.
    pub(super) fn drop_before(&mut self, time: u32) {
        loop {
            let mut cursor = Cursor { bytes: &self.bytes, at: 0, time: self.begin };
            match cursor.next() {
                Some((at, _)) if at < time => {
                    let length = cursor.at;
                    self.bytes.drain(..length);
                    self.begin = at;
                    self.count -= 1;
                }
                _ => break,
            }
        }
        // Half of it empty: the machine has better use for it.
        if self.bytes.capacity() > 2 * self.bytes.len() + GROWTH {
            self.bytes.shrink_to_fit();
        }
    }

    /// The points with their times.
    pub(super) fn points(&self) -> impl Iterator<Item = (u32, Point)> {
        Cursor { bytes: &self.bytes, at: 0, time: self.begin }
    }

    /// How many points there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The memory that they take.
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    fn write(&mut self, mut value: u32) {
        // By an eighth, not to twice the size: there are thousands of these.
        if self.bytes.capacity() - self.bytes.len() < LONGEST {
            self.bytes.reserve_exact(GROWTH.max(self.bytes.len() / 8));
        }
        while value > 0x7f {
            self.bytes.push_back(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push_back(value as u8);
    }
}

/// The bytes of the longest integer.
const LONGEST: usize = 5;
/// The least that is reserved at once.
const GROWTH: usize = 32;

struct Cursor<'a> {
    bytes: &'a VecDeque<u8>,
    at: usize,
    time: u32,
}

impl Cursor<'_> {
    fn read(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..LONGEST).map(|byte| 7 * byte) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(value)
    }
}

impl Iterator for Cursor<'_> {
    type Item = (u32, Point);

    fn next(&mut self) -> Option<Self::Item> {
        self.time += self.read()?;
        let mask = self.read()?;
        let mut fields = [0; FIELDS];
        for (at, field) in fields.iter_mut().enumerate() {
            if mask & 1 << at != 0 {
                *field = self.read()?;
            }
        }
        Some((self.time, Point::from_fields(fields)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(syns: u32, waiting: u32) -> Point {
        Point { syns, waiting, ..Point::default() }
    }

    #[test]
    fn old_points_go_and_their_memory_with_them() {
        let mut series = Series::default();
        for time in 1_000..4_000 {
            series.push(time, &point(time, 1));
        }
        let full = series.memory();
        series.drop_before(3_990);
        let left: Vec<_> = series.points().collect();
        assert_eq!((left.len(), left[0]), (10, (3_990, point(3_990, 1))));
        assert_eq!(series.count(), 10);
        assert!(series.memory() < full / 10, "{} of {full}", series.memory());
        series.drop_before(u32::MAX);
        series.push(7_000, &point(1, 0));
        assert_eq!(series.points().collect::<Vec<_>>(), [(7_000, point(1, 0))]);
    }

    #[test]
    fn an_hour_of_a_busy_listener_takes_few_bytes_a_point() {
        let mut series = Series::default();
        for time in 0..3_600 {
            let busy = Point {
                waiting: time % 100,
                accept_peak: 100 + time % 28,
                half_open: time % 5,
                syn_peak: 9,
                syns: 1_000 + time % 700,
                established: 990 + time % 700,
                accepts: 995 + time % 700,
                wait_p50: Some(9),
                wait_p99: Some(12),
                ..Point::default()
            };
            series.push(time, &busy);
        }
        assert!(series.memory() < 3_600 * 19, "{}", series.memory());
    }

    proptest! {
        #[test]
        fn what_was_stored_comes_back(
            list in prop::collection::vec((0..1u32 << 20, prop::array::uniform12(0..u32::MAX)), 0..100),
            cut in 0..100usize,
        ) {
            let mut time = 0;
            let mut series = Series::default();
            let mut expected = Vec::new();
            for (distance, mut fields) in list {
                time += distance;
                for bucket in &mut fields[10..] {
                    *bucket %= 33;
                }
                let point = Point::from_fields(fields);
                series.push(time, &point);
                expected.push((time, point));
            }
            prop_assert_eq!(series.points().collect::<Vec<_>>(), expected.clone());
            let from = expected.get(cut).map_or(0, |(time, _)| *time);
            series.drop_before(from);
            expected.retain(|(time, _)| *time >= from);
            prop_assert_eq!(series.count() as usize, expected.len());
            prop_assert_eq!(series.points().collect::<Vec<_>>(), expected);
        }
    }
}
