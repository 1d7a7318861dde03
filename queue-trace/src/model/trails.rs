//! The trails of all listeners over one watch.

use std::collections::HashMap;

use super::{QueueEvent, Snapshot, Timeline, Trail};

/// More listeners than this have no trail, which takes up to some 50 KB.
const LISTENERS: usize = 1024;
/// How long a stretch is at first: of what was counted a second, of what records tell much less.
const COUNTED_NS: u64 = 1_000_000_000;
const SEEN_NS: u64 = 10_000_000;

/// From what a trail was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the records, which are complete: it has short stretches.
    Records,
    /// From what the kernel side counted, because records are missing.
    Counters,
}

/// What was counted from snapshot to snapshot, and what the records told, for each listener.
#[derive(Debug)]
pub struct Trails {
    begin_ns: u64,
    timeline: Timeline,
    counted: HashMap<u32, Trail>,
    seen: HashMap<u32, Trail>,
}

impl Trails {
    /// Of a watch that begins then, at which nothing was counted yet.
    #[must_use]
    pub fn new(begin_ns: u64) -> Self {
        let mut timeline = Timeline::default();
        timeline.note(&Snapshot { time_ns: begin_ns, ..Snapshot::default() });
        Self { begin_ns, timeline, counted: HashMap::new(), seen: HashMap::new() }
    }

    /// Takes in a snapshot, which is later than the one before.
    pub fn note(&mut self, snapshot: &Snapshot) {
        self.timeline.note(snapshot);
        let last = self.timeline.bounds().and_then(|(_, last)| self.timeline.frame(last));
        for moment in last.iter().flat_map(|frame| frame.moments()) {
            let trail = place(&mut self.counted, moment.listener, self.begin_ns, COUNTED_NS);
            trail.into_iter().for_each(|trail| trail.note(moment, snapshot.time_ns));
        }
    }

    /// Takes in an event at a listener.
    pub fn observe(&mut self, listener: u32, event: &QueueEvent) {
        let trail = place(&mut self.seen, listener, self.begin_ns, SEEN_NS);
        trail.into_iter().for_each(|trail| trail.observe(event));
    }

    /// The trail of a listener up to then, and from what it was made; nothing if nothing happened there, or at
    /// too many others.
    #[must_use]
    pub fn of(&self, listener: u32, end_ns: u64) -> Option<(Trail, Origin)> {
        let counted = self.counted.get(&listener);
        let seen = self.seen.get(&listener).filter(|seen| {
            counted.is_none_or(|counted| {
                let (seen, counted) = (seen.sum(), counted.sum());
                seen.syns >= counted.syns
                    && seen.established >= counted.established
                    && seen.accepts >= counted.accepts
                    && seen.refused >= counted.refused
            })
        });
        let (mut trail, origin) = match seen {
            Some(seen) => (seen.clone(), Origin::Records),
            None => (counted?.clone(), Origin::Counters),
        };
        let last_ns = end_ns.max(self.begin_ns + 1) - 1;
        match origin {
            Origin::Records => trail.reach(last_ns),
            Origin::Counters => trail.extend(last_ns),
        }
        Some((trail, origin))
    }
}

fn place(
    trails: &mut HashMap<u32, Trail>,
    listener: u32,
    begin_ns: u64,
    length_ns: u64,
) -> Option<&mut Trail> {
    if !trails.contains_key(&listener) && trails.len() >= LISTENERS {
        return None;
    }
    Some(trails.entry(listener).or_insert_with(|| Trail::new(begin_ns, length_ns)))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{ListenerInfo, Outcome};

    use super::*;
    use crate::model::{Listener, Totals};

    fn refusal(time_ns: u64) -> QueueEvent {
        let outcome = Outcome::SynAcceptQueueFull;
        QueueEvent { accept_depth: 6, limit: 5, ..QueueEvent::made(outcome, time_ns) }
    }

    #[test]
    fn records_are_taken_when_none_is_missing_and_counters_else() {
        let mut trails = Trails::new(0);
        let mut totals = Totals::default();
        totals.outcomes[Outcome::SynAcceptQueueFull as usize] = 2;
        let snapshot = Snapshot {
            time_ns: COUNTED_NS,
            listeners: vec![(Listener::from_info(1, &ListenerInfo::default()), totals)],
            ..Snapshot::default()
        };
        trails.observe(1, &refusal(5));
        trails.note(&snapshot);
        let refused = |trail: &Trail| trail.sum().refused;
        let (trail, origin) = trails.of(1, COUNTED_NS).unwrap();
        assert_eq!((refused(&trail), origin), (2, Origin::Counters));
        trails.observe(1, &refusal(7));
        let (trail, origin) = trails.of(1, COUNTED_NS).unwrap();
        assert_eq!((refused(&trail), origin), (2, Origin::Records));
        assert_eq!((trail.length_ns(), trail.stretches().len()), (SEEN_NS, 100));
        assert!(trails.of(2, COUNTED_NS).is_none());
    }
}
