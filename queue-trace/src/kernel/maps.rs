//! Reads and feeds the kernel side's maps.

use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, Queue, RingBuf};
use queue_trace_common::{CLOSED_KEY, Fault, ListenerInfo, ListenerRef, Outcome};

use super::attach::Attached;
use super::slots::Slots;

/// The maps, taken out of a loaded object.
pub struct Maps {
    listeners: HashMap<MapData, u64, ListenerRef>,
    /// What is kept for each listener.
    pub slots: Slots,
    free: Queue<MapData, u32>,
    armed: Array<MapData, u32>,
    periods: Array<MapData, u32>,
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
            slots: Slots::new(
                Array::try_from(take("LISTENER_INFO")?)?,
                PerCpuArray::try_from(take("COUNTERS")?)?,
                Array::try_from(take("FULL_TIME")?)?,
            ),
            free: Queue::try_from(take("FREE_SLOTS")?)?,
            armed: Array::try_from(take("ARMED")?)?,
            periods: Array::try_from(take("PERIOD")?)?,
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
        self.periods.set(0, self.slots.next_period(), 0)
    }

    /// Stops counting and forgets what was counted.
    ///
    /// # Errors
    ///
    /// As [`Self::take`].
    pub fn reset(&mut self) -> Result<(), MapError> {
        self.arm(false)?;
        self.slots.clear(0)?;
        self.slots.used()?.into_iter().try_for_each(|(slot, _)| self.slots.clear(slot))
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
        self.slots.clear(slot)?;
        self.slots.assign(slot, ListenerInfo::default())?;
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
