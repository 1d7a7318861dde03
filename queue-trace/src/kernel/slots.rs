//! The maps that have a slot for each listener: who it is, and what happened at it.

use std::mem::offset_of;

use queue_trace_common::{Counters, FullTime, ListenerInfo, Outcome};

use super::shared::Shared;
use crate::model::Totals;

/// The slots of listeners; slot 0 is the one that all share for which none was left.
#[derive(Debug)]
pub struct Slots {
    info: Shared<ListenerInfo>,
    /// As many for each slot as there can be CPUs.
    counters: Shared<Counters>,
    full_time: Shared<FullTime>,
    cpus: u32,
    /// Of which period recent peaks are wanted.
    period: u32,
}

impl Slots {
    /// Takes the maps, of which the counters have a value for each slot and CPU and the others one for
    /// each slot.
    #[must_use]
    pub fn new(
        info: Shared<ListenerInfo>,
        counters: Shared<Counters>,
        full_time: Shared<FullTime>,
    ) -> Self {
        let cpus = counters.len() / info.len();
        Self { info, counters, full_time, cpus, period: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.info.len()
    }

    /// The present period is this one.
    pub(super) fn go_on_with(&mut self, period: u32) {
        self.period = period;
    }

    /// Begins a new period, of which the number is given back: from now on recent peaks are its own.
    pub(super) fn next_period(&mut self) -> u32 {
        self.period = self.period.wrapping_add(1);
        self.period
    }

    /// Who the listener of a slot is.
    #[must_use]
    pub fn info(&self, slot: u32) -> ListenerInfo {
        self.info.get(slot)
    }

    /// The slots that listeners have or had, with them; without the shared one.
    ///
    /// Which are in use is told by the slots themselves, until they are given back: a new listener at
    /// the kernel address of a closed one takes its entry in the map of addresses, and what the closed
    /// one counted must not go with it.
    #[must_use]
    pub fn used(&self) -> Vec<(u32, ListenerInfo)> {
        const { assert!(offset_of!(ListenerInfo, socket) == 0) };
        // Most are in nobody's use: of these nothing but that is read.
        let taken = (1..self.info.len()).filter(|slot| self.info.sum(*slot, 1) != 0);
        taken.map(|slot| (slot, self.info(slot))).filter(|(_, info)| info.socket != 0).collect()
    }

    /// What happened at the listener of a slot up to `now_ns` of the monotonic clock, all CPUs
    /// together; who waits, as [`super::attach::Attached::look`] last saw it.
    #[must_use]
    pub fn totals(&self, slot: u32, info: &ListenerInfo, now_ns: u64) -> Totals {
        let mut totals = Totals::default();
        for cpu in 0..self.cpus {
            self.add(&mut totals, &self.counters.get(slot * self.cpus + cpu));
        }
        Self::time(&mut totals, &self.full_time.get(slot), info, now_ns);
        totals
    }

    /// How many outcomes were counted in a slot: while it is the same, nothing has happened.
    #[must_use]
    pub fn outcomes(&self, slot: u32) -> u64 {
        let of_cpu = |cpu| self.counters.sum(slot * self.cpus + cpu, Outcome::COUNT);
        (0..self.cpus).map(of_cpu).fold(0, u64::wrapping_add)
    }

    /// Forgets what was counted in a slot.
    pub fn clear(&mut self, slot: u32) {
        for cpu in 0..self.cpus {
            self.counters.set(slot * self.cpus + cpu, Counters::default());
        }
        self.full_time.set(slot, FullTime::default());
    }

    /// Says whose a slot is; nobody's with the default.
    pub fn assign(&mut self, slot: u32, info: ListenerInfo) {
        self.info.set(slot, info);
    }

    /// Adds what one CPU counted.
    fn add(&self, totals: &mut Totals, cpu: &Counters) {
        for (sum, count) in totals.outcomes.iter_mut().zip(cpu.outcomes) {
            *sum = sum.wrapping_add(count);
        }
        for (sum, count) in totals.tallies.iter_mut().zip(cpu.tallies) {
            *sum = sum.wrapping_add(count);
        }
        totals.waits.add(&cpu.waits);
        totals.handshakes.add(&cpu.handshakes);
        totals.accept_peak = totals.accept_peak.max(cpu.accept_peak);
        totals.syn_peak = totals.syn_peak.max(cpu.syn_peak);
        if cpu.period == self.period {
            let accept = totals.recent_accept_peak.max(cpu.recent_accept_peak);
            let syn = totals.recent_syn_peak.max(cpu.recent_syn_peak);
            (totals.recent_accept_peak, totals.recent_syn_peak) = (accept, syn);
        }
    }

    /// Adds how long the queues were full, and who waits.
    fn time(totals: &mut Totals, full: &FullTime, info: &ListenerInfo, now_ns: u64) {
        // A listener that closed full has been so to its end: what still waited was lost or taken over.
        let end_ns = if info.closed_ns == 0 { now_ns } else { info.closed_ns };
        let so_far = |since: u64| if since == 0 { 0 } else { end_ns.saturating_sub(since) };
        totals.accept_full_ns = full.accept_ns + so_far(full.accept_since_ns);
        totals.syn_full_ns = full.syn_ns + so_far(full.syn_since_ns);
        (totals.waiting, totals.half_open) = (full.waiting, full.half_open);
        totals.recent_accept_peak = totals.recent_accept_peak.max(full.waiting as u32);
        totals.recent_syn_peak = totals.recent_syn_peak.max(full.half_open as u32);
        totals.oldest_ns = (full.oldest_ns != 0).then_some(full.oldest_ns);
    }
}

#[cfg(test)]
mod tests {
    use aya::Pod;
    use aya::maps::Array;

    use super::super::maps::MMAPABLE;
    use super::*;

    const CPUS: u32 = 3;
    const LAST: u32 = 2_000;

    /// Slots of which 1, 2, 700 and the last are in use; nothing where maps cannot be made.
    fn slots() -> Option<Slots> {
        fn shared<V: Pod>(values: u32) -> Option<Shared<V>> {
            Array::create(values, MMAPABLE).ok().map(|map| Shared::new(&map).unwrap())
        }
        let mut slots =
            Slots::new(shared(LAST + 1)?, shared((LAST + 1) * CPUS)?, shared(LAST + 1)?);
        for slot in [1, 2, 700, LAST] {
            let info = ListenerInfo { socket: u64::from(slot), ..ListenerInfo::default() };
            slots.assign(slot, info);
            for cpu in 0..CPUS {
                let mut counters = Counters { accept_peak: slot + cpu, ..Counters::default() };
                counters.outcomes[0] = u64::from(slot) * 100 + u64::from(cpu);
                slots.counters.set(slot * CPUS + cpu, counters);
            }
            let full = FullTime { syn_since_ns: slot.into(), ..FullTime::default() };
            slots.full_time.set(slot, full);
        }
        Some(slots)
    }

    #[test]
    fn processors_are_added_up() {
        let Some(slots) = slots() else { return };
        let used: Vec<_> = slots.used().into_iter().map(|(slot, _)| slot).collect();
        assert_eq!(used, [1, 2, 700, LAST]);
        let totals = slots.totals(700, &slots.info(700), 10_000);
        assert_eq!(totals.outcomes[0], 3 * 70_000 + 3);
        assert_eq!((totals.accept_peak, totals.syn_full_ns), (702, 9_300));
        assert_eq!(slots.outcomes(700), totals.outcomes[0]);
    }

    #[test]
    fn a_cleared_slot_has_counted_nothing() {
        let Some(mut slots) = slots() else { return };
        let totals = |slots: &Slots| slots.totals(700, &slots.info(700), 0);
        assert!(!totals(&slots).is_empty());
        slots.clear(700);
        assert_eq!(totals(&slots), Totals::default());
    }
}
