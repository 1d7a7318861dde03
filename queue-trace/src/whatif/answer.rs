//! The answer: which backlog, and whether one helps at all.

use super::Course;
use super::pace::{Pace, Speed};
use super::queue::{Outlook, play_at};

/// How many backlogs between the present one and the one that is enough are looked at.
const CANDIDATES: usize = 8;

/// A server that is faster.
#[derive(Debug, Clone)]
pub struct Faster {
    /// How much.
    pub speed: Speed,
    /// Whether that stands for one more worker.
    pub one_more_worker: bool,
    /// With the limit as it is.
    pub outlook: Outlook,
    /// The smallest backlog that loses nothing then.
    pub enough: u64,
    /// Whether the queue would have gone on growing even so.
    pub overrun: bool,
}

/// What a backlog would have done.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Without any limit.
    pub unlimited: Outlook,
    /// Backlogs, the present one first, and what would have become of the clients.
    pub backlogs: Vec<(u64, Outlook)>,
    /// The smallest backlog that loses nothing.
    pub enough: u64,
    /// Whether the queue would have gone on growing: accepting is slower than arriving.
    pub overrun: bool,
    /// With a faster server.
    pub faster: Vec<Faster>,
}

/// Answers for one listener that was watched until `end`.
#[must_use]
pub fn answer(course: &Course, end: u64) -> Answer {
    let pace = Pace::of(course);
    let play = |backlog, speed| play_at(&pace, &course.arrivals, backlog, speed, end);
    let unlimited = play(None, Speed::OBSERVED);
    let limit = u64::from(course.limit);
    let enough = enough(&unlimited);
    let backlogs = candidates(limit, enough);
    let backlogs =
        backlogs.into_iter().map(|backlog| (backlog, play(Some(backlog), Speed::OBSERVED)));
    let workers = course.workers.max(1) as u64;
    let speeds = [
        (Speed { times: 2, by: 1 }, false),
        (Speed { times: 4, by: 1 }, false),
        (Speed { times: workers + 1, by: workers }, true),
    ];
    let faster = speeds.map(|(speed, one_more_worker)| {
        let unlimited = play(None, speed);
        Faster {
            speed,
            one_more_worker,
            outlook: play(Some(limit), speed),
            enough: self::enough(&unlimited),
            overrun: overrun(&unlimited, limit),
        }
    });
    Answer {
        backlogs: backlogs.collect(),
        enough,
        overrun: overrun(&unlimited, limit),
        faster: faster.into(),
        unlimited,
    }
}

/// A queue of this backlog holds one more.
fn enough(unlimited: &Outlook) -> u64 {
    unlimited.peak.saturating_sub(1)
}

/// Half of the peak is still there at the end, and more than fits: it did not drain.
fn overrun(unlimited: &Outlook, limit: u64) -> bool {
    unlimited.waiting > limit && unlimited.waiting * 2 >= unlimited.peak
}

/// The present limit, powers of two from there on, and what is enough.
fn candidates(limit: u64, enough: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some((limit + 1).next_power_of_two()), |n| n.checked_mul(2));
    let mut all = vec![limit];
    all.extend(powers.take_while(|power| *power < enough).take(CANDIDATES));
    if enough > limit {
        all.push(enough);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::whatif::play;

    /// Five come at once, one fits into the queue of backlog 0, and one is accepted each 10 from 10 on.
    fn five_at_once() -> Course {
        Course {
            arrivals: vec![0, 1, 2, 3, 4],
            entries: vec![0, 12, 22],
            accepts: vec![10, 20, 30],
            refused: 4,
            limit: 0,
            workers: 1,
            ..Course::default()
        }
    }

    #[test]
    fn five_at_once_need_a_backlog_of_four() {
        let answer = answer(&five_at_once(), 1000);
        assert_eq!((answer.unlimited.peak, answer.unlimited.waiting), (5, 0));
        assert_eq!((answer.enough, answer.overrun), (4, false));
        let refused: Vec<_> = answer.backlogs.iter().map(|(b, o)| (*b, o.refused)).collect();
        assert_eq!(refused, [(0, 4), (1, 3), (2, 2), (4, 0)]);
        // At 10 and 20 and 30, as it was; and between these, while it had nothing to do, after the usual 8.
        let waits = &answer.unlimited.waits;
        assert_eq!((waits.count(), waits.max()), (5, 26));
    }

    #[test]
    fn no_backlog_helps_where_nobody_accepts() {
        let course = Course {
            arrivals: (0..100).collect(),
            entries: vec![0, 1],
            limit: 1,
            ..Course::default()
        };
        let answer = answer(&course, 1000);
        assert!(answer.overrun);
        assert_eq!((answer.unlimited.waiting, answer.unlimited.waits.count()), (100, 0));
        assert!(answer.faster.iter().all(|faster| faster.outlook.refused == 98));
    }

    #[test]
    fn a_faster_server_needs_less() {
        // One a unit of time for 100; each takes 2; so half of them pile up.
        let course = Course {
            arrivals: (0..100).collect(),
            entries: (0..100).collect(),
            accepts: (1..=100).map(|n| 2 * n).collect(),
            limit: 200,
            workers: 1,
            ..Course::default()
        };
        let answer = answer(&course, 300);
        assert_eq!(answer.unlimited.peak, 51);
        assert!(answer.faster[0].enough <= 2, "{}", answer.faster[0].enough);
        let more = &answer.faster[2];
        assert!(more.one_more_worker && more.enough <= 2, "twice as fast with two workers");
    }

    /// What a real server would have shown, without retries: arrivals, how long each accept takes, the limit.
    fn run(gaps: &[u64], services: &[u64], limit: u32) -> Course {
        let mut course = Course { limit, workers: 1, ..Course::default() };
        let (mut now, mut free) = (0, 0);
        for gap in gaps {
            now += gap;
            course.arrivals.push(now);
            let waiting = course.accepts.iter().filter(|accept| **accept > now).count();
            if waiting > limit as usize {
                course.refused += 1;
                continue;
            }
            let service = services[course.accepts.len() % services.len()];
            free = now.max(free) + service;
            course.entries.push(now);
            course.accepts.push(free);
        }
        course
    }

    prop_compose! {
        fn any_course()(
            gaps in prop::collection::vec(0..20_u64, 1..80),
            services in prop::collection::vec(1..40_u64, 1..80),
            limit in 0..6_u32,
        ) -> Course {
            run(&gaps, &services, limit)
        }
    }

    proptest! {
        #[test]
        fn the_world_as_it_was_comes_out_as_it_was(course in any_course()) {
            let same = play(&course, Some(course.limit.into()), Speed::OBSERVED, u64::MAX - 1);
            prop_assert_eq!(same.refused, course.refused);
            prop_assert_eq!(same.waits.count(), course.accepts.len() as u64);
        }

        #[test]
        fn a_larger_backlog_never_refuses_more(course in any_course(), times in 1..5_u64) {
            let speed = Speed { times, by: 1 };
            let refused: Vec<_> =
                (0..40).map(|b| play(&course, Some(b), speed, u64::MAX - 1).refused).collect();
            prop_assert!(refused.is_sorted_by(|a, b| a >= b), "{refused:?}");
        }

        #[test]
        fn the_smallest_that_is_enough_is_the_smallest(course in any_course()) {
            let refused = |b| play(&course, Some(b), Speed::OBSERVED, u64::MAX - 1).refused;
            let enough = answer(&course, u64::MAX - 1).enough;
            prop_assert_eq!(refused(enough), 0);
            prop_assert!(enough == 0 || refused(enough - 1) > 0);
        }

        #[test]
        fn without_limit_it_is_at_least_as_deep(course in any_course(), backlog in 0..40_u64) {
            let peak = |backlog| play(&course, backlog, Speed::OBSERVED, u64::MAX - 1).peak;
            prop_assert!(peak(None) >= peak(Some(backlog)));
        }
    }
}
