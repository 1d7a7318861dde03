//! An accept queue that never was.

use std::collections::VecDeque;

use super::pace::{NEVER, Pace, Speed};
use crate::model::Times;

/// What would have become of the arrivals.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Clients that found the queue full.
    pub refused: u64,
    /// The greatest depth.
    pub peak: u64,
    /// Connections still in it at the end.
    pub waiting: u64,
    /// How long those had waited that were accepted.
    pub waits: Times,
}

/// Lets the arrivals, in the order of time, meet a queue with this backlog (none: without limit) until `end`.
#[must_use]
pub fn play(course: &super::Course, backlog: Option<u64>, speed: Speed, end: u64) -> Outlook {
    play_at(&Pace::of(course), &course.arrivals, backlog, speed, end)
}

pub(super) fn play_at(
    pace: &Pace,
    arrivals: &[u64],
    backlog: Option<u64>,
    speed: Speed,
    end: u64,
) -> Outlook {
    // Full above the limit: one more than it fits.
    let room = backlog.map_or(u64::MAX, |backlog| backlog.saturating_add(1));
    let mut outlook = Outlook::default();
    let (mut queue, mut last) = (VecDeque::new(), 0);
    for arrival in arrivals {
        while queue.front().is_some_and(|accept| accept <= arrival) {
            queue.pop_front();
        }
        if queue.len() as u64 >= room {
            outlook.refused += 1;
            continue;
        }
        last = if last == NEVER { NEVER } else { pace.done((*arrival).max(last), speed) };
        queue.push_back(last);
        outlook.peak = outlook.peak.max(queue.len() as u64);
        if last <= end {
            outlook.waits.record(last - arrival);
        }
    }
    outlook.waiting = queue.iter().filter(|accept| **accept > end).count() as u64;
    outlook
}
