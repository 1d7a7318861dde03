//! The time that is shown for a time of the monotonic clock.

use std::fmt;

use jiff::Timestamp;

/// Turns times of the monotonic clock into what is shown.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Wall clock less monotonic clock when we began, nanoseconds.
    offset_ns: i128,
    /// When we began, on the monotonic clock.
    start_ns: u64,
    /// Show time since the start.
    relative: bool,
}

impl Clock {
    /// A clock for a start at `start_ns` of the monotonic clock, which was `wall`.
    #[must_use]
    pub fn new(start_ns: u64, wall: Timestamp, relative: bool) -> Self {
        Self { offset_ns: wall.as_nanosecond() - i128::from(start_ns), start_ns, relative }
    }

    /// What to show: RFC 3339 in UTC with microseconds, or seconds since the start.
    #[must_use]
    pub fn show(&self, time_ns: u64) -> Shown {
        if self.relative {
            // An event between arming and the first reading of the clock is at zero.
            return Shown::Relative(time_ns.saturating_sub(self.start_ns));
        }
        let wall = Timestamp::from_nanosecond(self.offset_ns + i128::from(time_ns));
        Shown::Wall(wall.unwrap_or(Timestamp::MAX))
    }
}

/// A time to show.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Wall clock.
    Wall(Timestamp),
    /// Nanoseconds since the start.
    Relative(u64),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wall(time) => write!(f, "{time:.6}"),
            Self::Relative(ns) => {
                write!(f, "{:>5}.{:06}", ns / 1_000_000_000, ns % 1_000_000_000 / 1000)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_is_rfc_3339_with_microseconds() {
        let wall: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Clock::new(5_000_000_000, wall, false);
        assert_eq!(clock.show(6_500_000_123).to_string(), "2026-11-21T09:00:01.500000Z");
    }

    #[test]
    fn relative_is_seconds_since_the_start() {
        let clock = Clock::new(5_000_000_000, Timestamp::UNIX_EPOCH, true);
        assert_eq!(clock.show(6_500_000_999).to_string(), "    1.500000");
        assert_eq!(clock.show(4_000_000_000).to_string(), "    0.000000");
    }
}
