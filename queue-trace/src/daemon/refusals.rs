//! Refusals in the log: at most one line for each listener and interval, with the counts of all that
//! came meanwhile. It goes by the counters, so that nothing is lost, however many there were.

use std::collections::{HashMap, HashSet};

use queue_trace_common::{Event, Outcome};

use crate::model::{Listener, Snapshot, Totals};
use crate::output::text::printable;

/// The most lines at once: a machine in trouble must not fill its log.
const MOST: usize = 20;

/// What was told of each listener, by its number.
#[derive(Debug, Default)]
pub struct Refusals {
    told: HashMap<u32, Told>,
    /// Listeners that closed and of which everything is told: what is counted there from now on is what
    /// others counted before.
    closed: HashSet<u32>,
    /// Whether there is something that was not due the last time.
    pending: bool,
}

/// What was told of a listener.
#[derive(Debug, Clone)]
struct Told {
    /// In which second.
    second: u32,
    /// What had been counted by then.
    outcomes: [u64; Outcome::COUNT],
    drops: u64,
}

impl Refusals {
    /// Takes what was counted before the log began as told: packets that a listener discarded before us. What we
    /// counted ourselves meanwhile is not: it is to be told the first time.
    pub fn begin(&mut self, snapshot: &Snapshot) {
        self.pending = true;
        for (listener, totals) in &snapshot.listeners {
            if let Some(drops @ 1..) = totals.drops {
                let told = Told { second: 0, outcomes: [0; Outcome::COUNT], drops };
                self.told.insert(listener.id, told);
            }
        }
    }

    /// The lines that are due in this second, each listener's at most once in `every` seconds.
    pub fn lines(&mut self, second: u32, every: u32, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        let mut more = 0;
        self.pending = false;
        let polled = snapshot.tier == "poll";
        for (listener, totals) in &snapshot.listeners {
            if self.closed.contains(&listener.id) || listener.closed && listener.id == 0 {
                continue;
            }
            let told = self.told.get(&listener.id);
            // Of one that has closed nothing more is to come.
            let since = told.map_or(every, |told| second.saturating_sub(told.second));
            let due = listener.closed || since >= every;
            let line = line(listener, totals, told, polled);
            if line.is_some() && (!due || lines.len() == MOST) {
                more += usize::from(due);
                self.pending = true;
                continue;
            }
            if listener.closed {
                self.closed.insert(listener.id);
            }
            let Some(line) = line else { continue };
            lines.push(line);
            let drops = totals.drops.unwrap_or(0);
            self.told.insert(listener.id, Told { second, outcomes: totals.outcomes, drops });
        }
        if more > 0 {
            lines.push(format!("{more} more listeners refused connections"));
        }
        lines
    }

    /// Whether there may be lines though nothing new has happened.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.pending
    }

    /// Forgets the listeners that are gone.
    pub fn forget(&mut self, snapshot: &Snapshot) {
        let there: HashSet<_> =
            snapshot.listeners.iter().map(|(listener, _)| listener.id).collect();
        self.told.retain(|id, _| there.contains(id));
        self.closed.retain(|id| there.contains(id));
    }
}

/// What is new at a listener; nothing if there is nothing new.
fn line(listener: &Listener, totals: &Totals, told: Option<&Told>, polled: bool) -> Option<String> {
    let queue = || format!("accept queue {}/{}", totals.waiting, listener.limit);
    if polled {
        let before = told.map_or(0, |told| told.drops);
        let drops = totals.drops.unwrap_or(0).saturating_sub(before);
        let name = || who(listener);
        return (drops > 0)
            .then(|| format!("{} discarded {drops} packets (sk_drops), {}", name(), queue()));
    }
    let before = |outcome: Outcome| told.map_or(0, |told| told.outcomes[outcome as usize]);
    let since = |event: Event| {
        let outcomes = totals.by_reason(event);
        let grown =
            outcomes.map(|(outcome, count)| (outcome, count.saturating_sub(before(outcome))));
        grown.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    let stages = [(Event::SynRefused, "SYNs"), (Event::AckRefused, "final ACKs")];
    let parts = stages.into_iter().flat_map(|(event, what)| {
        since(event).into_iter().map(move |(outcome, count)| {
            format!("{count} {what} ({})", outcome.reason().unwrap_or_default())
        })
    });
    let parts: Vec<_> = parts.collect();
    let some = !parts.is_empty();
    some.then(|| format!("{} refused {}, {}", who(listener), parts.join(", "), queue()))
}

/// A listener with the first of its owners.
pub(super) fn who(listener: &Listener) -> String {
    match listener.owners.first() {
        Some(owner) => {
            format!("{} ({}, pid {})", listener.name(), printable(&owner.comm), owner.pid)
        }
        None => listener.name(),
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::ListenerInfo;

    use super::*;

    fn snapshot(refused: impl IntoIterator<Item = u64>) -> Snapshot {
        let one = |(id, refused)| {
            let info = ListenerInfo { port: 80, limit: 5, family: 2, ..ListenerInfo::default() };
            let mut totals = Totals { waiting: 6, ..Totals::default() };
            totals.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
            totals.outcomes[Outcome::SynQueued as usize] = 1_000;
            (Listener::from_info(id, &info), totals)
        };
        let listeners = (1..).zip(refused).map(one).collect();
        Snapshot { tier: "fentry", listeners, ..Snapshot::default() }
    }

    #[test]
    fn what_was_refused_while_the_daemon_started_is_told() {
        let mut snapshot = snapshot([4]);
        snapshot.listeners[0].1.drops = Some(4);
        let mut refusals = Refusals::default();
        refusals.begin(&snapshot);
        assert!(refusals.pending());
        assert!(refusals.lines(10, 10, &snapshot)[0].contains("refused 4 SYNs"));
    }

    #[test]
    fn one_line_for_all_of_an_interval() {
        let mut refusals = Refusals::default();
        let mut at = |second, count| refusals.lines(second, 10, &snapshot([count]));
        assert!(at(0, 0).is_empty());
        let first = "0.0.0.0:80 refused 3 SYNs (accept_queue_full), accept queue 6/5";
        assert_eq!(at(1, 3), [first]);
        assert!(at(2, 900).is_empty());
        assert!(at(10, 1_000).is_empty());
        assert_eq!(at(11, 1_003), [first.replace(" 3 ", " 1000 ")]);
        assert!(at(50, 1_003).is_empty());
        assert!(!refusals.pending());
    }

    #[test]
    fn a_machine_in_trouble_does_not_fill_its_log() {
        let mut refusals = Refusals::default();
        let lines = refusals.lines(1, 10, &snapshot(vec![7; 50]));
        assert_eq!(
            (lines.len(), lines[MOST].as_str()),
            (MOST + 1, "30 more listeners refused connections")
        );
        // Those that were left out come next.
        assert_eq!(refusals.lines(2, 10, &snapshot(vec![7; 50])).len(), MOST + 1);
        assert_eq!(refusals.lines(3, 10, &snapshot(vec![7; 50])).len(), 10);
        refusals.forget(&snapshot([]));
        assert!(refusals.told.is_empty());
    }

    #[test]
    fn of_a_closed_listener_the_rest_is_told_once() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.lines(1, 10, &snapshot([3])).len(), 1);
        let closed = |count| {
            let mut snapshot = snapshot([count]);
            snapshot.listeners[0].0.closed = true;
            snapshot
        };
        assert!(refusals.lines(2, 10, &closed(4))[0].contains("refused 1 SYNs"));
        assert!(refusals.lines(200, 10, &closed(900)).is_empty());
    }

    #[test]
    fn polling_knows_only_of_discarded_packets() {
        let mut polled = snapshot([0]);
        (polled.tier, polled.listeners[0].1.drops) = ("poll", Some(12));
        let mut refusals = Refusals::default();
        refusals.begin(&polled);
        assert!(refusals.lines(20, 10, &polled).is_empty());
        polled.listeners[0].1.drops = Some(15);
        let lines = refusals.lines(21, 10, &polled);
        assert_eq!(lines, ["0.0.0.0:80 discarded 3 packets (sk_drops), accept queue 6/5"]);
    }
}
