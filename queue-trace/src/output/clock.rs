//! The time that is shown for a time of the monotonic clock.

use std::io::Write as _;

use jiff::Timestamp;

use super::pieces;

/// Turns times of the monotonic clock into what is shown.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Wall clock less monotonic clock when we began, nanoseconds.
    offset_ns: i64,
    /// When we began, on the monotonic clock.
    start_ns: u64,
    /// Show time since the start.
    relative: bool,
    /// The second of the wall clock that was shown last. The next event mostly lies within it, and no
    /// date has to be made for it.
    second: i64,
    /// What is shown for it, up to the point.
    shown: Vec<u8>,
}

impl Clock {
    /// A clock for a start at `start_ns` of the monotonic clock, which was `wall`.
    #[must_use]
    pub fn new(start_ns: u64, wall: Timestamp, relative: bool) -> Self {
        // 64 bits last until the year 2262.
        let offset_ns = (wall.as_nanosecond() - i128::from(start_ns)) as i64;
        Self { offset_ns, start_ns, relative, second: i64::MIN, shown: Vec::new() }
    }

    /// Adds what to show: RFC 3339 in UTC with microseconds, or seconds since the start.
    pub fn show(&mut self, line: &mut Vec<u8>, time_ns: u64) {
        if self.relative {
            // An event between arming and the first reading of the clock is at zero.
            let ns = time_ns.saturating_sub(self.start_ns);
            pieces::number(line, ns / SECOND.cast_unsigned());
            line.push(b'.');
            pieces::micros(line, (ns % SECOND.cast_unsigned() / 1000) as u32);
            return;
        }
        let wall_ns = self.wall_ns(time_ns);
        let second = wall_ns.div_euclid(SECOND);
        if second != self.second {
            self.second = second;
            self.shown.clear();
            let second = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            // Writing to memory cannot fail. Without a fraction it ends with "Z".
            let _ = write!(self.shown, "{second:.0}");
            self.shown.pop();
        }
        line.extend_from_slice(&self.shown);
        line.push(b'.');
        pieces::micros(line, (wall_ns.rem_euclid(SECOND) / 1000) as u32);
        line.push(b'Z');
    }

    /// The wall clock at a time, nanoseconds since 1970.
    #[must_use]
    pub fn wall_ns(&self, time_ns: u64) -> i64 {
        self.offset_ns.saturating_add_unsigned(time_ns)
    }
}

const SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clock: &mut Clock, time_ns: u64) -> String {
        let mut line = Vec::new();
        clock.show(&mut line, time_ns);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn wall_clock_is_rfc_3339_with_microseconds() {
        let wall: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let mut clock = Clock::new(5_000_000_000, wall, false);
        assert_eq!(shown(&mut clock, 6_500_000_123), "2026-11-21T09:00:01.500000Z");
        assert_eq!(shown(&mut clock, 6_999_999_999), "2026-11-21T09:00:01.999999Z");
        assert_eq!(shown(&mut clock, 7_000_000_000), "2026-11-21T09:00:02.000000Z");
        assert_eq!(shown(&mut clock, 4_999_999_999), "2026-11-21T08:59:59.999999Z");
    }

    #[test]
    fn relative_is_seconds_since_the_start() {
        let mut clock = Clock::new(5_000_000_000, Timestamp::UNIX_EPOCH, true);
        assert_eq!(shown(&mut clock, 6_500_000_999), "1.500000");
        assert_eq!(shown(&mut clock, 4_000_000_000), "0.000000");
    }
}
