//! What each listener counted since the last snapshot.

use std::collections::HashMap;

use super::services::Key;
use super::{Listener, Snapshot, Totals};

/// What each listener had counted at the last snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Growth {
    seen: HashMap<Identity, Seen>,
    /// How many snapshots there were.
    round: u64,
}

/// What stays the same as long as a listener is listed. What stands for several has no number, but a
/// namespace.
type Identity = (u32, u32, u64, bool);

/// A listener at the last snapshot that had it.
#[derive(Debug, Clone, Default)]
struct Seen {
    key: Option<Key>,
    totals: Totals,
    round: u64,
}

impl Growth {
    /// What was counted since the last call, by place in the snapshot's list; nothing of those at which
    /// nothing changed, which are the most. It has no depths and ages.
    pub(super) fn since(&mut self, snapshot: &Snapshot) -> Vec<(usize, Totals)> {
        self.round += 1;
        let mut all = Vec::new();
        for (place, (listener, totals)) in snapshot.listeners.iter().enumerate() {
            let seen = self.seen.entry(identity(listener)).or_default();
            (seen.round, seen.key) = (self.round, Key::of(listener));
            if seen.totals != *totals {
                all.push((place, grown(totals, seen.totals)));
                // The kernel is not asked for them each time.
                let drops = totals.drops.or(seen.totals.drops);
                seen.totals = Totals { drops, ..*totals };
            }
        }
        let gone = self.take_gone();
        if !gone.is_empty() {
            settle(&mut all, snapshot, gone);
        }
        all
    }

    /// How much of anything was counted at a listener until the last call.
    pub(super) fn so_far(&self, listener: &Listener) -> u64 {
        self.seen.get(&identity(listener)).map_or(0, |seen| seen.totals.outcomes.iter().sum())
    }

    /// Forgets those that are not listed any more; gives their sums by where they were.
    fn take_gone(&mut self) -> HashMap<Option<Key>, Totals> {
        let mut gone: HashMap<_, Totals> = HashMap::new();
        let round = self.round;
        self.seen.retain(|_, seen| {
            if seen.round != round {
                gone.entry(seen.key).or_default().add(&seen.totals);
            }
            seen.round == round
        });
        gone
    }
}

fn identity(listener: &Listener) -> Identity {
    match *listener {
        Listener { id: 0, netns, netns_cookie, closed, .. } => (0, netns, netns_cookie, closed),
        Listener { id, .. } => (id, 0, 0, false),
    }
}

/// A source adds the counts of closed listeners up, so that they are not too many: to another one of the
/// same place, or to what stands for several places. That is no growth.
fn settle(
    all: &mut [(usize, Totals)],
    snapshot: &Snapshot,
    mut gone: HashMap<Option<Key>, Totals>,
) {
    let closed = |place: usize| snapshot.listeners.get(place).map(|(l, _)| l).filter(|l| l.closed);
    for (place, growth) in all.iter_mut() {
        if let Some(key) = closed(*place).and_then(Key::of)
            && let Some(gone) = gone.get_mut(&Some(key))
        {
            cancel(growth, gone);
        }
    }
    let mut rest = Totals::default();
    gone.values().for_each(|gone| rest.add(gone));
    for (place, growth) in all.iter_mut() {
        if closed(*place).is_some_and(|listener| Key::of(listener).is_none()) {
            cancel(growth, &mut rest);
        }
    }
}

/// What was counted since before; a counter that fell has not moved.
fn grown(now: &Totals, mut before: Totals) -> Totals {
    let mut growth = Totals { waiting: 0, half_open: 0, oldest_ns: None, ..*now };
    each(&mut growth, &mut before, |now, before| *now = now.saturating_sub(*before));
    growth
}

/// Takes from both what they have in common.
fn cancel(one: &mut Totals, other: &mut Totals) {
    each(one, other, |one, other| {
        let common = *one.min(other);
        *one -= common;
        *other -= common;
    });
}

/// Goes through all counters.
fn each(one: &mut Totals, other: &mut Totals, mut apply: impl FnMut(&mut u64, &mut u64)) {
    let mut slices = |one: &mut [u64], other: &mut [u64]| {
        one.iter_mut().zip(other).for_each(|(one, other)| apply(one, other));
    };
    slices(&mut one.outcomes, &mut other.outcomes);
    slices(&mut one.tallies, &mut other.tallies);
    slices(&mut one.waits.buckets, &mut other.waits.buckets);
    slices(&mut one.handshakes.buckets, &mut other.handshakes.buckets);
    apply(&mut one.waits.sum_ns, &mut other.waits.sum_ns);
    apply(&mut one.handshakes.sum_ns, &mut other.handshakes.sum_ns);
    apply(&mut one.accept_full_ns, &mut other.accept_full_ns);
    apply(&mut one.syn_full_ns, &mut other.syn_full_ns);
    if let (Some(one), Some(other)) = (&mut one.drops, &mut other.drops) {
        apply(one, other);
    }
}
