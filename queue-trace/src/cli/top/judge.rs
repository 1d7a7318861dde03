//! What is wrong with the listeners, by what happened within the last seconds.

use std::collections::HashMap;
use std::mem;
use std::rc::Rc;

use crate::cli::verdicts::{Gathered, judge};
use crate::diagnose::Diagnosis;
use crate::model::{Addresses, Observed, QueueEvent, Snapshot, Totals};
use crate::source::Census;

/// Verdicts rest on what happened in the last one or two of these times.
const PERIOD_NS: u64 = 15_000_000_000;

/// Judges by two beginnings, of which the older one is given up for the newer one, and that for now.
#[derive(Debug)]
pub(super) struct Judge {
    older: Beginning,
    newer: Beginning,
}

/// What was known at a time, and what came to be known since by records.
#[derive(Debug, Default)]
struct Beginning {
    time_ns: u64,
    census: Rc<Census>,
    /// The counters, by number of the listener, and whether it had closed.
    totals: HashMap<u32, (Totals, bool)>,
    observed: Observed,
    addresses: Addresses,
}

impl Judge {
    /// Begins at a time of the monotonic clock, at which all counters are zero.
    pub(super) fn new(time_ns: u64, census: &Rc<Census>) -> Self {
        let beginning = || Beginning { time_ns, census: Rc::clone(census), ..Beginning::default() };
        Self { older: beginning(), newer: beginning() }
    }

    /// Judges the listeners of a snapshot, and says each one's number with it; `records` are the events since
    /// the snapshot before.
    pub(super) fn judge(
        &mut self,
        snapshot: &Snapshot,
        records: &[(u32, QueueEvent)],
        census: &Rc<Census>,
    ) -> HashMap<u32, Diagnosis> {
        for (listener, event) in records {
            for beginning in [&mut self.older, &mut self.newer] {
                beginning.observed.take(*listener, event);
                beginning.addresses.observe(*listener, event);
            }
        }
        let window = self.older.until(snapshot);
        let verdicts = judge(&Gathered {
            began_ns: self.older.time_ns,
            before: &self.older.census,
            snapshot: &window,
            census,
            observed: &self.older.observed,
            scheduled: HashMap::new(),
            addresses: Some(&self.older.addresses),
        });
        if snapshot.time_ns.saturating_sub(self.newer.time_ns) >= PERIOD_NS {
            let now = Beginning::now(snapshot, census);
            self.older = mem::replace(&mut self.newer, now);
        }
        let id = |place: usize| window.listeners.get(place).map(|(listener, _)| listener.id);
        verdicts.into_iter().filter_map(|one| Some((id(one.listener)?, one))).collect()
    }
}

impl Beginning {
    fn now(snapshot: &Snapshot, census: &Rc<Census>) -> Self {
        let totals = snapshot.listeners.iter();
        let totals = totals.map(|(listener, totals)| (listener.id, (*totals, listener.closed)));
        Self {
            time_ns: snapshot.time_ns,
            census: Rc::clone(census),
            totals: totals.collect(),
            ..Self::default()
        }
    }

    /// What happened until a snapshot. What stands for several listeners cannot be judged, and those that had
    /// closed only gather what others counted.
    fn until(&self, snapshot: &Snapshot) -> Snapshot {
        let since = |(listener, totals): &(crate::model::Listener, Totals)| {
            let (before, closed) = self.totals.get(&listener.id).copied().unwrap_or_default();
            (listener.id != 0 && !closed).then(|| (listener.clone(), totals.since(&before)))
        };
        Snapshot {
            listeners: snapshot.listeners.iter().filter_map(since).collect(),
            ..snapshot.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{ListenerInfo, Outcome};

    use super::*;
    use crate::diagnose::Rule;
    use crate::model::Listener;

    fn snapshot(second: u64, refused: u64) -> Snapshot {
        let listener =
            Listener::from_info(1, &ListenerInfo { limit: 5, ..ListenerInfo::default() });
        let mut totals = Totals::default();
        totals.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
        totals.outcomes[Outcome::Accepted as usize] = 10 * second;
        totals.outcomes[Outcome::Established as usize] = 10 * second;
        let time_ns = second * 1_000_000_000;
        Snapshot { time_ns, listeners: vec![(listener, totals)], ..Snapshot::default() }
    }

    #[test]
    fn a_verdict_goes_when_what_it_rests_on_is_over() {
        let census = Rc::default();
        let mut judge = Judge::new(0, &census);
        let mut said =
            |second, refused| judge.judge(&snapshot(second, refused), &[], &census)[&1].main.rule;
        assert_eq!(said(1, 0), Rule::Healthy);
        assert!((2..20).all(|second| said(second, 7) == Rule::Burst));
        let later: Vec<_> = (20..60).map(|second| said(second, 7)).collect();
        assert_eq!(later.first(), Some(&Rule::Burst));
        assert_eq!(later.last(), Some(&Rule::Healthy));
    }
}
