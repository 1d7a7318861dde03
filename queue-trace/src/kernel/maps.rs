//! Reads and feeds the kernel side's maps.

use aya::Pod;
use aya::maps::{Array, HashMap, MapData, MapError, Queue, RingBuf};
use queue_trace_common::{
    CLOSED_KEY, Control, Fault, ListenerInfo, ListenerRef, Outcome, Troubles,
};

use super::attach::Attached;
use super::globals::{CONTROL, PASSES};
use super::ring::own::Rings;
use super::shared::Shared;
use super::slots::Slots;
use super::workers::Workers;

/// `BPF_F_MMAPABLE`: the flag of maps whose values this process can share.
pub const MMAPABLE: u32 = 1 << 10;

/// The maps, taken out of a loaded object.
pub struct Maps {
    listeners: HashMap<MapData, u64, ListenerRef>,
    /// What is kept for each listener.
    pub slots: Slots,
    /// Who accepts, where that is counted.
    pub workers: Option<Workers>,
    free: Queue<MapData, u32>,
    control: Shared<Control>,
    troubles: Shared<Troubles>,
    /// How often counting has begun.
    begins: u32,
}

impl Maps {
    /// Takes the maps, and what records come by, and hands all slots but the shared one out, unless a former process
    /// has done so and is counted on with.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn take(attached: &mut Attached) -> Result<(Self, RingBuf<MapData>, Rings), MapError> {
        let control: Shared<Control> = shared(attached, CONTROL)?;
        let mut slots = Slots::new(
            shared(attached, "LISTENER_INFO")?,
            shared(attached, "COUNTERS")?,
            shared(attached, "FULL_TIME")?,
        );
        let Control { armed, period, .. } = control.get(0);
        slots.go_on_with(period);
        let workers = match attached.workers {
            true => Some(Workers::new(
                HashMap::try_from(take(attached, "WORKER_INDEX")?)?,
                shared(attached, "WORKERS")?,
                shared(attached, "WORKER_ACCEPTS")?,
                Queue::try_from(take(attached, "FREE_WORKERS")?)?,
            )),
            false => None,
        };
        let mut maps = Self {
            listeners: HashMap::try_from(take(attached, "LISTENERS")?)?,
            slots,
            workers,
            free: Queue::try_from(take(attached, "FREE_SLOTS")?)?,
            control,
            troubles: shared(attached, "TROUBLES")?,
            begins: armed,
        };
        let records = RingBuf::try_from(take(attached, "RECORDS")?)?;
        let records_of_cpus = shared(attached, "RINGS")?;
        let rings = Rings::new(&take(attached, PASSES)?, records_of_cpus, maps.troubles.len())?;
        if !attached.counting {
            maps.hand_out()?;
        }
        Ok((maps, records, rings))
    }

    /// Everything is free.
    fn hand_out(&mut self) -> Result<(), MapError> {
        for slot in 1..self.slots.len() {
            self.free.push(slot, 0)?;
        }
        self.workers.as_mut().map_or(Ok(()), Workers::hand_out)
    }

    /// Lets counting begin, or end.
    pub fn arm(&mut self, armed: bool) {
        self.begins += u32::from(armed);
        let armed = if armed { self.begins } else { 0 };
        self.tell(Control { armed, ..self.control.get(0) });
    }

    /// Begins a new period: from now on the recent peaks are those since this call.
    pub fn next_period(&mut self) {
        let period = self.slots.next_period();
        self.tell(Control { period, ..self.control.get(0) });
    }

    /// The rest the kernel side writes.
    fn tell(&self, control: Control) {
        self.control.set_first_word(0, control.word());
    }

    /// Stops counting and forgets what was counted.
    pub fn reset(&mut self) {
        self.arm(false);
        self.slots.clear(0);
        for (slot, _) in self.slots.used() {
            self.slots.clear(slot);
        }
        self.workers.iter_mut().for_each(Workers::clear);
        for cpu in 0..self.troubles.len() {
            self.troubles.set(cpu, Troubles::default());
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
        if let Some(workers) = &mut self.workers {
            workers.release(slot)?;
        }
        self.free.push(slot, 0)
    }

    /// Records that found no room, by outcome.
    #[must_use]
    pub fn shed(&self) -> [u64; Outcome::COUNT] {
        self.sums(|troubles| troubles.shed)
    }

    /// Records that were left out because there were many of their kind, by outcome.
    #[must_use]
    pub fn thinned(&self) -> [u64; Outcome::COUNT] {
        self.sums(|troubles| troubles.thinned)
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
    attached.objects.take_map(name)
}

fn shared<V: Pod>(attached: &mut Attached, name: &str) -> Result<Shared<V>, MapError> {
    Shared::new(&Array::try_from(take(attached, name)?)?)
}
