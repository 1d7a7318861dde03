//! The kernel side as a daemon watches it: all listeners, the idle ones too, read each second, and so
//! cheaply that nothing is spent on what did not change.

use std::collections::HashMap;

use queue_trace_common::ListenerInfo;

use super::former::fold;
use super::join::{Met, join, listed_one};
use super::live::{Live, monotonic_ns};
use crate::model::{Listener, Snapshot, Totals};

/// The most closed listeners that are listed.
const MOST_CLOSED: usize = 512;

/// What is kept from one reading to the next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What the last survey found, but for the listeners.
    base: Snapshot,
    /// Whether nothing was read since.
    surveyed: bool,
    /// The slots in use.
    marks: HashMap<u32, Mark>,
    /// How many closed listeners were added to others.
    pub(super) folded: u64,
}

/// What tells that nothing has happened in a slot since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    opened_ns: u64,
    closed_ns: u64,
    limit: u32,
    outcomes: u64,
    /// Whether there was anything in its queues: then time passes for those who wait.
    busy: bool,
}

impl Live {
    /// Asks for what costs more to know: which listeners there are and whose, what the kernel itself
    /// counted, what the programs cost. Also gives back the slots of closed listeners.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn survey(&mut self) -> anyhow::Result<()> {
        self.tidy()?;
        self.watch.folded += fold(&mut self.closed, MOST_CLOSED);
        self.gather()?;
        let full = self.snapshot()?;
        self.watch.base = Snapshot { listeners: Vec::new(), folded: self.watch.folded, ..full };
        self.watch.surveyed = true;
        Ok(())
    }

    /// Everything counted so far, if anything has changed since the last call. What a survey tells is as
    /// old as the last one.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn watch(&mut self) -> anyhow::Result<Option<Snapshot>> {
        let shared = std::iter::once((0, self.maps.slots.info(0)));
        let used: Vec<_> = shared.chain(self.maps.slots.used()).collect();
        // Before anything is read: what comes in between is found the next time.
        let marks: HashMap<_, _> =
            used.iter().map(|(slot, info)| (*slot, self.mark(*slot, info))).collect();
        let changed: Vec<_> = marks
            .iter()
            .filter(|(slot, mark)| self.watch.marks.get(slot) != Some(mark))
            .map(|(slot, _)| *slot)
            .collect();
        let gone = used.len() != self.watch.marks.len();
        if changed.is_empty() && !gone && !self.watch.surveyed {
            return Ok(None);
        }
        self.attached.look(changed.into_iter())?;
        self.watch.marks = marks;
        let met = self.read(used);
        self.next_period();
        self.watch.surveyed = false;
        let mut snapshot = Snapshot { time_ns: monotonic_ns(), ..self.watch.base.clone() };
        self.troubles(&mut snapshot);
        snapshot.listeners = self.closed.clone();
        snapshot.listeners.extend(self.with_idle(met));
        Ok(Some(snapshot))
    }

    /// What tells now whether anything happens in a slot from now on.
    fn mark(&self, slot: u32, info: &ListenerInfo) -> Mark {
        let ListenerInfo { opened_ns, closed_ns, limit, .. } = *info;
        let outcomes = self.maps.slots.outcomes(slot);
        Mark { opened_ns, closed_ns, limit, outcomes, busy: false }
    }

    /// The listeners with a slot, each with what the slot says.
    fn read(&mut self, used: Vec<(u32, ListenerInfo)>) -> Vec<(Listener, Totals, ListenerInfo)> {
        let now = monotonic_ns();
        let mut met = Vec::with_capacity(used.len());
        for (slot, info) in used {
            let totals = self.maps.slots.totals(slot, &info, now);
            if let Some(mark) = self.watch.marks.get_mut(&slot) {
                // The recent peaks have the depths of now in them.
                mark.busy = totals.recent_accept_peak > 0 || totals.recent_syn_peak > 0;
            }
            if slot != 0 || !totals.is_empty() {
                let listener = self.names.note(slot, &info, |l| self.seeds.owners(&info, l));
                met.push((listener.clone(), totals, info));
            }
        }
        met
    }

    /// These listeners with what only the kernel's list tells of them, and then the idle ones.
    fn with_idle(&mut self, met: Vec<(Listener, Totals, ListenerInfo)>) -> Vec<(Listener, Totals)> {
        let Self { seeds, names, .. } = self;
        let listed = |info: &ListenerInfo| {
            let open = info.closed_ns == 0 || info.closed_ns > seeds.at_ns;
            open && info.opened_ns <= seeds.at_ns
        };
        let known: Vec<_> =
            met.iter().map(|(listener, _, info)| Met { listener, listed: listed(info) }).collect();
        let joined = join(&seeds.listeners, &known);
        let mut all: Vec<_> =
            met.into_iter().map(|(listener, totals, _)| (listener, totals)).collect();
        for ((_, totals), at) in all.iter_mut().zip(joined.met) {
            let seed = at.and_then(|at| seeds.listeners.get(at));
            totals.drops = seed.and_then(|(_, seed)| seed.drops).map(u64::from);
        }
        let idle: Vec<_> = joined.idle.iter().filter_map(|at| seeds.listeners.get(*at)).collect();
        for (netns, seed) in idle {
            let totals = Totals {
                waiting: seed.depth.into(),
                drops: seed.drops.map(u64::from),
                ..Totals::default()
            };
            let id = names.silent(seed.cookie);
            all.push((listed_one(id, *netns, seed, seeds.processes(seed.inode)), totals));
        }
        all
    }
}
