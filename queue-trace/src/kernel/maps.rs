//! Reads and feeds the kernel side's maps.

use aya::Pod;
use aya::maps::{Array, HashMap, MapData, MapError, Queue, RingBuf};
use queue_trace_common::{
    CLOSED_KEY, Control, Fault, ListenerInfo, ListenerRef, Outcome, Troubles,
};

use super::attach::Attached;
use super::shared::Shared;
use super::slots::Slots;

/// `BPF_F_MMAPABLE`: the flag of maps whose values this process can share.
pub const MMAPABLE: u32 = 1 << 10;

/// The maps, taken out of a loaded object.
pub struct Maps {
    listeners: HashMap<MapData, u64, ListenerRef>,
    /// What is kept for each listener.
    pub slots: Slots,
    free: Queue<MapData, u32>,
    control: Shared<Control>,
    troubles: Shared<Troubles>,
}

impl Maps {
    /// Takes the maps and the ring buffer, and hands all slots but the shared one out.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn take(attached: &mut Attached) -> Result<(Self, RingBuf<MapData>), MapError> {
        let slots = Slots::new(
            shared(attached, "LISTENER_INFO")?,
            shared(attached, "COUNTERS")?,
            shared(attached, "FULL_TIME")?,
        );
        let mut maps = Self {
            listeners: HashMap::try_from(take(attached, "LISTENERS")?)?,
            slots,
            free: Queue::try_from(take(attached, "FREE_SLOTS")?)?,
            control: shared(attached, "CONTROL")?,
            troubles: shared(attached, "TROUBLES")?,
        };
        let records = RingBuf::try_from(take(attached, "RECORDS")?)?;
        for slot in 1..attached.slots {
            maps.free.push(slot, 0)?;
        }
        Ok((maps, records))
    }

    /// Lets counting begin, or end.
    pub fn arm(&mut self, armed: bool) {
        self.control.set(0, Control { armed: armed.into(), ..self.control.get(0) });
    }

    /// Begins a new period: from now on the recent peaks are those since this call.
    pub fn next_period(&mut self) {
        let period = self.slots.next_period();
        self.control.set(0, Control { period, ..self.control.get(0) });
    }

    /// Stops counting and forgets what was counted.
    pub fn reset(&mut self) {
        self.arm(false);
        self.slots.clear(0);
        for (slot, _) in self.slots.used() {
            self.slots.clear(slot);
        }
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
        self.slots.clear(slot);
        self.slots.assign(slot, ListenerInfo::default());
        self.free.push(slot, 0)
    }

    /// Records that found no room, by outcome.
    #[must_use]
    pub fn shed(&self) -> [u64; Outcome::COUNT] {
        self.sums(|troubles| troubles.shed)
    }

    /// Outcomes that the kernel's own counters contradict, where they are compared.
    #[must_use]
    pub fn contradicted(&self) -> [u64; Outcome::COUNT] {
        self.sums(|troubles| troubles.contradicted)
    }

    /// How often the kernel side had which trouble.
    #[must_use]
    pub fn faults(&self) -> [u64; Fault::COUNT] {
        self.sums(|troubles| troubles.faults)
    }

    /// The sums of all CPUs.
    fn sums<const N: usize>(&self, of: impl Fn(&Troubles) -> [u64; N]) -> [u64; N] {
        let mut sums = [0; N];
        for cpu in 0..self.troubles.len() {
            for (sum, count) in sums.iter_mut().zip(of(&self.troubles.get(cpu))) {
                *sum += count;
            }
        }
        sums
    }
}

fn take(attached: &mut Attached, name: &str) -> Result<aya::maps::Map, MapError> {
    attached.ebpf.take_map(name).ok_or(MapError::InvalidName { name: name.to_owned() })
}

fn shared<V: Pod>(attached: &mut Attached, name: &str) -> Result<Shared<V>, MapError> {
    Shared::new(&Array::try_from(take(attached, name)?)?)
}
