//! The maps that have a slot for each listener: who it is, and what happened at it.

use std::ops::Range;

use aya::maps::{Array, MapData, MapError, PerCpuArray, PerCpuValues};
use queue_trace_common::{Counters, FullTime, ListenerInfo};

use super::batch::Batch;
use crate::model::Totals;

/// How many bytes of counters are read at once: few system calls, and what they give stays in the
/// processor's cache until it is added up.
const AT_ONCE: usize = 256 << 10;

/// The slots of listeners; slot 0 is the one that all share for which none was left.
pub struct Slots {
    info: Array<MapData, ListenerInfo>,
    counters: PerCpuArray<MapData, Counters>,
    full_time: Array<MapData, FullTime>,
    cpus: usize,
    /// Of which period recent peaks are wanted.
    period: u32,
}

impl Slots {
    /// Takes the maps; all three have a value for each slot.
    #[must_use]
    pub fn new(
        info: Array<MapData, ListenerInfo>,
        counters: PerCpuArray<MapData, Counters>,
        full_time: Array<MapData, FullTime>,
    ) -> Self {
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        Self { info, counters, full_time, cpus, period: 0 }
    }

    /// Begins a new period, of which the number is given back: from now on recent peaks are its own.
    pub(super) fn next_period(&mut self) -> u32 {
        self.period = self.period.wrapping_add(1);
        self.period
    }

    /// Who the listener of a slot is.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn info(&self, slot: u32) -> Result<ListenerInfo, MapError> {
        self.info.get(&slot, 0)
    }

    /// The slots that listeners have or had, with them; without the shared one.
    ///
    /// Which are in use is told by the slots themselves, until they are given back: a new listener at
    /// the kernel address of a closed one takes its entry in the map of addresses, and what the closed
    /// one counted must not go with it.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn used(&self) -> Result<Vec<(u32, ListenerInfo)>, MapError> {
        let mut used = Vec::new();
        let mut infos = Batch::default();
        for run in self.runs() {
            let infos = infos.array(&self.info, run.clone())?;
            let taken = |(slot, info): &(u32, ListenerInfo)| *slot != 0 && info.socket != 0;
            used.extend(run.zip(infos.iter().copied()).filter(taken));
        }
        Ok(used)
    }

    /// What happened at the listener of a slot up to `now_ns` of the monotonic clock, all CPUs
    /// together; who waits, as [`super::attach::Attached::look`] last saw it.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn totals(&self, slot: u32, now_ns: u64) -> Result<Totals, MapError> {
        let full = self.full_time.get(&slot, 0)?;
        Ok(self.sum(&self.counters.get(&slot, 0)?, &full, &self.info(slot)?, now_ns))
    }

    /// Hands over the same for each slot in use, and for the shared one.
    ///
    /// # Errors
    ///
    /// As [`Self::used`], and what `each` answers.
    pub fn visit<E: From<MapError>>(
        &self,
        now_ns: u64,
        mut each: impl FnMut(u32, &ListenerInfo, Totals) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut infos, mut counters, mut full) =
            (Batch::default(), Batch::default(), Batch::default());
        for run in self.runs() {
            let infos = infos.array(&self.info, run.clone())?;
            // The counters of slots that nobody has are not read, unless they lie between others.
            let used = |(slot, info): (u32, &ListenerInfo)| in_use(slot, info).then_some(slot);
            let mut slots = run.clone().zip(infos).filter_map(used);
            let Some(first) = slots.next() else { continue };
            let span = first..slots.next_back().unwrap_or(first) + 1;
            let counters = counters.per_cpu(&self.counters, span.clone(), self.cpus)?;
            let full = full.array(&self.full_time, span.clone())?;
            let infos = infos.iter().skip((first - run.start) as usize);
            let all = counters.chunks_exact(self.cpus).zip(full);
            for ((slot, info), (counters, full)) in span.zip(infos).zip(all) {
                if in_use(slot, info) {
                    each(slot, info, self.sum(counters, full, info, now_ns))?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what was counted in a slot.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn clear(&mut self, slot: u32) -> Result<(), MapError> {
        let zeros = PerCpuValues::try_from(vec![Counters::default(); self.cpus])?;
        self.counters.set(slot, zeros, 0)?;
        self.full_time.set(slot, FullTime::default(), 0)
    }

    /// Says whose a slot is; nobody's with the default.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn assign(&mut self, slot: u32, info: ListenerInfo) -> Result<(), MapError> {
        self.info.set(slot, info, 0)
    }

    fn sum(&self, cpus: &[Counters], full: &FullTime, info: &ListenerInfo, now_ns: u64) -> Totals {
        let mut totals = Totals::default();
        for cpu in cpus {
            for (sum, count) in totals.outcomes.iter_mut().zip(cpu.outcomes) {
                *sum = sum.wrapping_add(count);
            }
            for (sum, count) in totals.tallies.iter_mut().zip(cpu.tallies) {
                *sum = sum.wrapping_add(count);
            }
            totals.accept_peak = totals.accept_peak.max(cpu.accept_peak);
            totals.syn_peak = totals.syn_peak.max(cpu.syn_peak);
            if cpu.period == self.period {
                let accept = totals.recent_accept_peak.max(cpu.recent_accept_peak);
                let syn = totals.recent_syn_peak.max(cpu.recent_syn_peak);
                (totals.recent_accept_peak, totals.recent_syn_peak) = (accept, syn);
            }
        }
        // A listener that closed full has been so to its end: what still waited was lost or taken over.
        let end_ns = if info.closed_ns == 0 { now_ns } else { info.closed_ns };
        let so_far = |since: u64| if since == 0 { 0 } else { end_ns.saturating_sub(since) };
        totals.accept_full_ns = full.accept_ns + so_far(full.accept_since_ns);
        totals.syn_full_ns = full.syn_ns + so_far(full.syn_since_ns);
        (totals.waiting, totals.half_open) = (full.waiting, full.half_open);
        totals.recent_accept_peak = totals.recent_accept_peak.max(full.waiting as u32);
        totals.recent_syn_peak = totals.recent_syn_peak.max(full.half_open as u32);
        totals.oldest_ns = (full.oldest_ns != 0).then_some(full.oldest_ns);
        totals
    }

    /// All slots in runs that are read at once.
    fn runs(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let (slots, step) = (self.info.len(), (AT_ONCE / size_of::<Counters>() / self.cpus).max(1));
        (0..slots).step_by(step).map(move |first| first..slots.min(first + step as u32))
    }
}

fn in_use(slot: u32, info: &ListenerInfo) -> bool {
    slot == 0 || info.socket != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots of which 1, 2, 700 and the last are in use; nothing where maps cannot be made.
    fn slots() -> Option<Slots> {
        const LAST: u32 = 2_000;
        let maps = (Array::create(LAST + 1, 0), PerCpuArray::create(LAST + 1, 0));
        let (Ok(info), Ok(counters)) = maps else { return None };
        let mut slots = Slots::new(info, counters, Array::create(LAST + 1, 0).unwrap());
        for slot in [1, 2, 700, LAST] {
            let info = ListenerInfo { socket: u64::from(slot), ..ListenerInfo::default() };
            slots.assign(slot, info).unwrap();
            let cpu = |cpu: usize| {
                let mut counters = Counters { accept_peak: slot, ..Counters::default() };
                counters.outcomes[0] = u64::from(slot) * 100 + cpu as u64;
                counters
            };
            let cpus = PerCpuValues::try_from((0..slots.cpus).map(cpu).collect::<Vec<_>>());
            slots.counters.set(slot, cpus.unwrap(), 0).unwrap();
            let full = FullTime { syn_since_ns: slot.into(), ..FullTime::default() };
            slots.full_time.set(slot, full, 0).unwrap();
        }
        Some(slots)
    }

    #[test]
    fn many_at_once_are_the_same_as_one_by_one() {
        let Some(slots) = slots() else { return };
        let mut visited = Vec::new();
        slots
            .visit(10_000, |slot, info, totals| {
                assert_eq!(info.socket, u64::from(slot));
                assert_eq!(totals, slots.totals(slot, 10_000).unwrap());
                visited.push(slot);
                Ok::<_, MapError>(())
            })
            .unwrap();
        assert_eq!(visited, [0, 1, 2, 700, 2_000]);
        let used: Vec<_> = slots.used().unwrap().into_iter().map(|(slot, _)| slot).collect();
        assert_eq!(used, [1, 2, 700, 2_000]);
    }

    #[test]
    fn a_cleared_slot_has_counted_nothing() {
        let Some(mut slots) = slots() else { return };
        assert!(!slots.totals(700, 0).unwrap().is_empty());
        slots.clear(700).unwrap();
        assert_eq!(slots.totals(700, 0).unwrap(), Totals::default());
    }
}
