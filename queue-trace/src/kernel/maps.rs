//! Reads and feeds the kernel side's maps.

use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, Queue, RingBuf};
use queue_trace_common::{
    CLOSED_KEY, Counters, Fault, FullTime, ListenerInfo, ListenerRef, Outcome,
};

use super::attach::Attached;
use crate::model::Totals;

/// The maps, taken out of a loaded object.
pub struct Maps {
    listeners: HashMap<MapData, u64, ListenerRef>,
    info: Array<MapData, ListenerInfo>,
    counters: PerCpuArray<MapData, Counters>,
    full_time: Array<MapData, FullTime>,
    free: Queue<MapData, u32>,
    armed: Array<MapData, u32>,
    periods: Array<MapData, u32>,
    period: u32,
    shed: PerCpuArray<MapData, OutcomeCounts>,
    contradicted: PerCpuArray<MapData, OutcomeCounts>,
    faults: PerCpuArray<MapData, u64>,
}

/// A count for each outcome; a type of our own, because `aya::Pod` is foreign to arrays this long.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct OutcomeCounts(pub [u64; Outcome::COUNT]);

// SAFETY: an array of integers.
unsafe impl aya::Pod for OutcomeCounts {}

impl Maps {
    /// Takes the maps and the ring buffer, and hands all slots but the shared one out.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn take(attached: &mut Attached) -> Result<(Self, RingBuf<MapData>), MapError> {
        let mut take = |name: &str| {
            attached.ebpf.take_map(name).ok_or(MapError::InvalidName { name: name.to_owned() })
        };
        let mut maps = Self {
            listeners: HashMap::try_from(take("LISTENERS")?)?,
            info: Array::try_from(take("LISTENER_INFO")?)?,
            counters: PerCpuArray::try_from(take("COUNTERS")?)?,
            full_time: Array::try_from(take("FULL_TIME")?)?,
            free: Queue::try_from(take("FREE_SLOTS")?)?,
            armed: Array::try_from(take("ARMED")?)?,
            periods: Array::try_from(take("PERIOD")?)?,
            period: 0,
            shed: PerCpuArray::try_from(take("SHED")?)?,
            contradicted: PerCpuArray::try_from(take("CONTRADICTED")?)?,
            faults: PerCpuArray::try_from(take("FAULTS")?)?,
        };
        let records = RingBuf::try_from(take("RECORDS")?)?;
        for slot in 1..attached.slots {
            maps.free.push(slot, 0)?;
        }
        Ok((maps, records))
    }

    /// Lets counting begin, or end.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn arm(&mut self, armed: bool) -> Result<(), MapError> {
        self.armed.set(0, u32::from(armed), 0)
    }

    /// Begins a new period: from now on the recent peaks are those since this call.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn next_period(&mut self) -> Result<(), MapError> {
        self.period = self.period.wrapping_add(1);
        self.periods.set(0, self.period, 0)
    }

    /// Stops counting and forgets what was counted.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn reset(&mut self) -> Result<(), MapError> {
        self.arm(false)?;
        let mut slots = self.slots()?;
        slots.push(0);
        slots.into_iter().try_for_each(|slot| self.clear(slot))
    }

    fn clear(&mut self, slot: u32) -> Result<(), MapError> {
        let cpus = aya::util::nr_cpus().unwrap_or(1);
        let zeros = aya::maps::PerCpuValues::try_from(vec![Counters::default(); cpus])?;
        self.counters.set(slot, zeros, 0)?;
        self.full_time.set(slot, FullTime::default(), 0)
    }

    /// Who the listener of a slot is.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn info(&self, slot: u32) -> Result<ListenerInfo, MapError> {
        self.info.get(&slot, 0)
    }

    /// What happened at the listener of a slot up to `now_ns` of the monotonic clock, all CPUs
    /// together; who waits, as [`Attached::look`] last saw it.
    ///
    /// # Errors
    ///
    /// When there is no such slot.
    pub fn totals(&self, slot: u32, now_ns: u64) -> Result<Totals, MapError> {
        let mut totals = Totals::default();
        for cpu in self.counters.get(&slot, 0)?.iter() {
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
        let full = self.full_time.get(&slot, 0)?;
        // A listener that closed full has been so to its end: what still waited was lost or taken over.
        let closed_ns = self.info(slot)?.closed_ns;
        let end_ns = if closed_ns == 0 { now_ns } else { closed_ns };
        let so_far = |since: u64| if since == 0 { 0 } else { end_ns.saturating_sub(since) };
        totals.accept_full_ns = full.accept_ns + so_far(full.accept_since_ns);
        totals.syn_full_ns = full.syn_ns + so_far(full.syn_since_ns);
        (totals.waiting, totals.half_open) = (full.waiting, full.half_open);
        totals.recent_accept_peak = totals.recent_accept_peak.max(full.waiting as u32);
        totals.recent_syn_peak = totals.recent_syn_peak.max(full.half_open as u32);
        totals.oldest_ns = (full.oldest_ns != 0).then_some(full.oldest_ns);
        Ok(totals)
    }

    /// The slots that listeners have or had, until they are given back.
    ///
    /// Told by the slots themselves: a new listener at the kernel address of a closed one takes its
    /// entry in the map of addresses, and what the closed one counted must not go with it.
    ///
    /// # Errors
    ///
    /// When the map cannot be walked.
    pub fn slots(&self) -> Result<Vec<u32>, MapError> {
        let mut slots = Vec::new();
        for slot in 1..self.info.len() {
            if self.info(slot)?.socket != 0 {
                slots.push(slot);
            }
        }
        Ok(slots)
    }

    /// Gives a closed listener's slot back.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn release(&mut self, slot: u32, socket: u64) -> Result<(), MapError> {
        // Another listener that closed may have had the address since: then the entry is not ours.
        let key = socket | CLOSED_KEY;
        if self.listeners.get(&key, 0).is_ok_and(|entry| entry.slot == slot) {
            self.listeners.remove(&key)?;
        }
        self.clear(slot)?;
        self.info.set(slot, ListenerInfo::default(), 0)?;
        self.free.push(slot, 0)
    }

    /// Records that found no room, by outcome.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn shed(&self) -> Result<[u64; Outcome::COUNT], MapError> {
        by_outcome(&self.shed)
    }

    /// Outcomes that the kernel's own counters contradict, where they are compared.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn contradicted(&self) -> Result<[u64; Outcome::COUNT], MapError> {
        by_outcome(&self.contradicted)
    }

    /// How often the kernel side had this trouble.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn faults(&self, fault: Fault) -> Result<u64, MapError> {
        Ok(self.faults.get(&(fault as u32), 0)?.iter().sum())
    }
}

/// The counts of all CPUs.
fn by_outcome(
    map: &PerCpuArray<MapData, OutcomeCounts>,
) -> Result<[u64; Outcome::COUNT], MapError> {
    let mut sums = [0; Outcome::COUNT];
    for cpu in map.get(&0, 0)?.iter() {
        for (sum, count) in sums.iter_mut().zip(cpu.0) {
            *sum += count;
        }
    }
    Ok(sums)
}
