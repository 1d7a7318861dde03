//! What happened at each listener in the last seconds.

use std::collections::HashMap;
use std::mem;

use super::{Listener, Totals};

/// What was counted at each listener in the last one or two periods: exact, and without the past of those at
/// which nothing happens, which are the most.
#[derive(Debug, Clone, Default)]
pub(super) struct Lately {
    older: Period,
    newer: Period,
}

/// What was counted from a time on until the next period, by number of the listener. In boxes, because a table of
/// such large values has room for twice as many.
#[derive(Debug, Clone, Default)]
struct Period {
    began_ns: u64,
    growth: HashMap<u32, Box<Totals>>,
}

impl Lately {
    /// How long a period is: with it, what happened is told for at least half a minute, and at most for one.
    const PERIOD_NS: u64 = 30_000_000_000;

    /// Begins: what was counted before is past.
    pub(super) fn begin(&mut self, now_ns: u64) {
        let period = || Period { began_ns: now_ns, ..Period::default() };
        (self.older, self.newer) = (period(), period());
    }

    /// Goes on to a time, nanoseconds of the monotonic clock, before what was counted up to then is added. While
    /// nothing happens that may be a leap.
    pub(super) fn advance(&mut self, now_ns: u64) {
        let age = now_ns.saturating_sub(self.newer.began_ns);
        if age < Self::PERIOD_NS {
            return;
        }
        let next = Period { began_ns: now_ns, ..Period::default() };
        self.older = mem::replace(&mut self.newer, next);
        // It would have begun to be the older one a period or more ago: what was is past.
        if age >= 2 * Self::PERIOD_NS {
            let began_ns = now_ns - Self::PERIOD_NS;
            self.older = Period { began_ns, ..Period::default() };
        }
    }

    /// Adds what a listener has counted. What stands for several has none to add to.
    pub(super) fn add(&mut self, listener: &Listener, growth: &Totals) {
        if listener.id != 0 {
            self.newer.growth.entry(listener.id).or_default().add(growth);
        }
    }

    /// Since when it is told what happened.
    pub(super) fn began_ns(&self) -> u64 {
        self.older.began_ns
    }

    /// What happened at a listener, and what its queues hold now; nothing if there is nothing of either.
    pub(super) fn of(&self, listener: &Listener, now: &Totals) -> Option<Totals> {
        let growths = [&self.older, &self.newer].map(|period| period.growth.get(&listener.id));
        if growths == [None, None] && now.waiting == 0 && now.half_open == 0 {
            return None;
        }
        let mut growth = Totals::default();
        growths.into_iter().flatten().for_each(|one| growth.add(one));
        let deepest = |then: u32, recent: u32, now: u64| then.max(recent).max(now as u32);
        Some(Totals {
            waiting: now.waiting,
            half_open: now.half_open,
            oldest_ns: now.oldest_ns,
            // Of all time is what the kernel side has as the peak.
            accept_peak: deepest(growth.recent_accept_peak, now.recent_accept_peak, now.waiting),
            syn_peak: deepest(growth.recent_syn_peak, now.recent_syn_peak, now.half_open),
            ..growth
        })
    }
}
