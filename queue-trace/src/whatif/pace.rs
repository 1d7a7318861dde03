//! When a server accepts.

use super::Course;

/// How many times as fast a server is, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// So many times.
    pub times: u64,
    /// Divided by this.
    pub by: u64,
}

impl Speed {
    /// As it was.
    pub const OBSERVED: Self = Self { times: 1, by: 1 };

    /// A time that the server takes, at this speed.
    fn of(self, nanoseconds: u64) -> u64 {
        let scaled = u128::from(nanoseconds) * u128::from(self.by) / u128::from(self.times.max(1));
        u64::try_from(scaled).unwrap_or(NEVER)
    }
}

/// Not within the time that was watched.
pub(super) const NEVER: u64 = u64::MAX;

/// The server as it was.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// From when on a connection waited for this accept and the server had nothing else to accept, and when it
    /// came.
    gaps: Vec<(u64, u64)>,
    /// From when on connections waited that were not accepted any more.
    stopped: Option<u64>,
    /// How long the server usually takes from one to the next while several wait.
    usual: u64,
}

impl Pace {
    pub(super) fn of(course: &Course) -> Self {
        let mut gaps = Vec::with_capacity(course.accepts.len());
        let (mut busy, mut last) = (Vec::new(), 0);
        for (number, accept) in course.accepts.iter().enumerate() {
            // First in, first out: the accept of this number took the entry of this number.
            let entry = course.entries.get(number).copied().unwrap_or(last).min(*accept);
            gaps.push((entry.max(last), *accept));
            if entry <= last && number > 0 {
                busy.push(accept - last);
            }
            last = *accept;
        }
        let waiting = course.entries.get(course.accepts.len()).map(|entry| last.max(*entry));
        let all = || gaps.iter().map(|(begin, end)| end - begin).collect();
        let usual = median(busy).or_else(|| median(all())).unwrap_or(NEVER);
        Self { gaps, stopped: waiting, usual }
    }

    /// When a server that begins to wait for an accept at this time has done it, if it is that fast. Never
    /// earlier for one that begins later.
    pub(super) fn done(&self, from: u64, speed: Speed) -> u64 {
        let usual = || from.saturating_add(speed.of(self.usual));
        let next = self.gaps.partition_point(|(_, accept)| *accept <= from);
        match self.gaps.get(next) {
            Some((begin, accept)) => {
                let takes = speed.of(accept - begin);
                let done = from.max(*begin).saturating_add(takes).min(*accept);
                if from < *begin { done.min(usual()) } else { done }
            }
            None if self.stopped.is_some_and(|stopped| stopped <= from) => NEVER,
            None => usual(),
        }
    }
}

fn median(mut times: Vec<u64>) -> Option<u64> {
    let middle = times.len() / 2;
    (!times.is_empty()).then(|| *times.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts at 10, 20 and 30 of what waits, then one that comes at 100 at 103.
    fn course() -> Course {
        Course { entries: vec![0, 1, 2, 100], accepts: vec![10, 20, 30, 103], ..Course::default() }
    }

    #[test]
    fn while_connections_wait_its_moments_are_its_own() {
        let pace = Pace::of(&course());
        let done = |from| pace.done(from, Speed::OBSERVED);
        assert_eq!([0, 5, 9, 10, 19, 20].map(done), [10, 10, 10, 20, 20, 30]);
        assert_eq!(done(30), 40, "it waits for connections: 10 as usual");
        assert_eq!(done(99), 103, "not later than for one that comes at 100");
        assert_eq!(done(100), 103);
        assert_eq!(done(200), 210, "after the last one, as usual");
    }

    #[test]
    fn twice_as_fast_takes_half_as_long() {
        let pace = Pace::of(&course());
        let done = |from| pace.done(from, Speed { times: 2, by: 1 });
        assert_eq!([0, 5, 9, 30].map(done), [5, 10, 10, 35]);
    }

    #[test]
    fn a_server_that_has_stopped_accepts_no_more() {
        let stopped = Course { entries: vec![0, 50], accepts: vec![10], ..Course::default() };
        let done = |from| Pace::of(&stopped).done(from, Speed::OBSERVED);
        assert_eq!((done(0), done(20), done(50)), (10, 30, NEVER));
        let never = Course { entries: vec![7], ..Course::default() };
        assert_eq!(Pace::of(&never).done(7, Speed { times: 4, by: 1 }), NEVER);
    }
}
