//! What happened at a listener, as far as it decides over its accept queue.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use queue_trace_common::{Event, Outcome};

use crate::model::QueueEvent;

/// How many clients of one listener are taken in: 32 MB of times. More are counted only.
const ARRIVALS: usize = 4_000_000;

/// A client that comes again later than this after its last refusal is a new one: Linux waits at most 64 s
/// between two SYNs, and gives up after 127 s.
const NEXT_TRY_NS: u64 = 65_000_000_000;

/// Arrivals, entries and accepts, nanoseconds of the monotonic clock, each in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// When clients first wanted in.
    pub arrivals: Vec<u64>,
    /// When connections entered the accept queue.
    pub entries: Vec<u64>,
    /// When they were accepted.
    pub accepts: Vec<u64>,
    /// Clients that were refused at their first try.
    pub refused: u64,
    /// The limit of the accept queue, at the end.
    pub limit: u32,
    /// The greatest depth that was seen.
    pub peak: u32,
    /// Processes that accepted.
    pub workers: usize,
    /// Clients beyond what is taken in.
    pub left_out: u64,
}

/// Follows listeners, and makes a course of each.
#[derive(Debug, Default)]
pub struct Courses {
    by_listener: HashMap<u32, Follower>,
}

impl Courses {
    /// The outcomes that have to be seen for this.
    #[must_use]
    pub fn needs(outcome: Outcome) -> bool {
        is_entry(outcome)
            || is_refusal(outcome)
            || outcome.event() == Event::Accept
            || outcome == Outcome::Listen
    }

    /// Takes notice of an event at a listener.
    pub fn observe(&mut self, listener: u32, event: &QueueEvent) {
        if Self::needs(event.outcome) {
            self.by_listener.entry(listener).or_default().observe(event);
        }
    }

    /// The course of a listener, if anything happened there.
    #[must_use]
    pub fn of(&self, listener: u32) -> Option<Course> {
        self.by_listener.get(&listener).filter(|follower| follower.any()).map(Follower::course)
    }
}

#[derive(Debug, Default)]
struct Follower {
    course: Course,
    begun: bool,
    /// Clients that were refused and have not come in, with their last try.
    trying: HashMap<SocketAddr, u64>,
    workers: HashSet<u32>,
}

impl Follower {
    /// Whether anything happened in its queue.
    fn any(&self) -> bool {
        !self.course.arrivals.is_empty() || !self.course.accepts.is_empty()
    }

    fn observe(&mut self, event: &QueueEvent) {
        if event.outcome == Outcome::Listen {
            // Nobody was in its queue before, whatever depth the first event tells: others may have come meanwhile.
            self.begun = true;
            return;
        }
        if !self.begun {
            self.begun = true;
            self.begin(event);
        }
        self.course.limit = event.limit;
        self.course.peak = self.course.peak.max(event.accept_depth);
        if is_refusal(event.outcome) {
            self.refuse(event);
        } else if is_entry(event.outcome) {
            let known = event.client.and_then(|client| self.trying.remove(&client));
            if !known.is_some_and(|last| is_retry(last, event)) {
                self.arrive(event.time_ns);
            }
            if self.course.entries.len() < ARRIVALS {
                self.course.entries.push(event.time_ns);
            }
        } else {
            self.workers.extend(event.process.map(|process| process.pid));
            if self.course.accepts.len() < ARRIVALS {
                self.course.accepts.push(event.time_ns);
            }
        }
    }

    /// What was in the queue before the first event, which tells the depth after it.
    fn begin(&mut self, event: &QueueEvent) {
        let depth = event.accept_depth as usize;
        let before = match event.outcome {
            outcome if is_entry(outcome) => depth.saturating_sub(1),
            outcome if outcome.event() == Event::Accept => depth + 1,
            _ => depth,
        };
        for times in [&mut self.course.arrivals, &mut self.course.entries] {
            times.resize(before.min(ARRIVALS), event.time_ns);
        }
    }

    fn refuse(&mut self, event: &QueueEvent) {
        let Some(client) = event.client else { return };
        let last = match event.outcome {
            // Its connection is reset: what comes next is another one.
            Outcome::AckAcceptQueueFullReset => self.trying.remove(&client),
            _ => self.trying.insert(client, event.time_ns),
        };
        if !last.is_some_and(|last| is_retry(last, event)) {
            self.course.refused += 1;
            self.arrive(event.time_ns);
        }
    }

    fn arrive(&mut self, time_ns: u64) {
        if self.course.arrivals.len() < ARRIVALS {
            self.course.arrivals.push(time_ns);
        } else {
            self.course.left_out += 1;
        }
    }

    fn course(&self) -> Course {
        let mut course = self.course.clone();
        course.workers = self.workers.len();
        // Those of two CPUs may have come in the wrong order.
        for times in [&mut course.arrivals, &mut course.entries, &mut course.accepts] {
            times.sort_unstable();
        }
        course
    }
}

fn is_retry(last_ns: u64, event: &QueueEvent) -> bool {
    event.time_ns.saturating_sub(last_ns) <= NEXT_TRY_NS
}

/// Whether a connection entered the accept queue.
fn is_entry(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Established | Outcome::CookieEstablished | Outcome::SynFastopen)
}

/// Whether a full accept queue refused somebody.
fn is_refusal(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::SynAcceptQueueFull
            | Outcome::AckAcceptQueueFull
            | Outcome::AckAcceptQueueFullReset
            | Outcome::CookieAcceptQueueFull
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn event(outcome: Outcome, port: u16, time_ns: u64, accept_depth: u32) -> QueueEvent {
        let client = Some(SocketAddr::from(([10, 0, 0, 1], port)));
        QueueEvent { client, accept_depth, limit: 1, ..QueueEvent::made(outcome, time_ns) }
    }

    fn course(events: &[QueueEvent]) -> Course {
        let mut courses = Courses::default();
        events.iter().for_each(|event| courses.observe(1, event));
        courses.of(1).unwrap()
    }

    #[test]
    fn a_client_that_comes_again_arrived_at_its_first_try() {
        let course = course(&[
            event(Outcome::Established, 1, 0, 1),
            event(Outcome::SynAcceptQueueFull, 2, 10, 1),
            event(Outcome::SynAcceptQueueFull, 2, 10 + SECOND, 1),
            event(Outcome::Accepted, 1, 2 * SECOND, 0),
            event(Outcome::Established, 2, 10 + 3 * SECOND, 1),
            // The same port again: another connection.
            event(Outcome::Established, 2, 10 + 4 * SECOND, 2),
        ]);
        assert_eq!(course.arrivals, [0, 10, 10 + 4 * SECOND]);
        assert_eq!(course.entries, [0, 10 + 3 * SECOND, 10 + 4 * SECOND]);
        assert_eq!((course.accepts.as_slice(), course.refused), (&[2 * SECOND][..], 1));
    }

    #[test]
    fn one_that_is_reset_or_stays_away_for_long_is_new() {
        let reset = Outcome::AckAcceptQueueFullReset;
        let late = 10 + NEXT_TRY_NS + 1;
        let course = course(&[
            event(reset, 1, 0, 0),
            event(reset, 1, 5, 0),
            event(Outcome::SynAcceptQueueFull, 2, 10, 0),
            event(Outcome::SynAcceptQueueFull, 2, late, 0),
        ]);
        assert_eq!((course.arrivals, course.refused), (vec![0, 5, 10, late], 4));
    }

    #[test]
    fn what_waited_before_is_taken_as_come_then() {
        assert_eq!(course(&[event(Outcome::Accepted, 1, 7, 1)]).arrivals, [7, 7]);
        assert_eq!(course(&[event(Outcome::SynAcceptQueueFull, 1, 7, 2)]).entries, [7, 7]);
        assert_eq!(course(&[event(Outcome::Established, 1, 7, 2)]).arrivals, [7, 7]);
    }

    #[test]
    fn nobody_waited_before_a_listener_that_is_new() {
        let listen = event(Outcome::Listen, 0, 5, 0);
        assert_eq!(course(&[listen, event(Outcome::Established, 1, 7, 2)]).arrivals, [7]);
        let mut courses = Courses::default();
        courses.observe(1, &listen);
        assert_eq!(courses.of(1), None);
    }
}
