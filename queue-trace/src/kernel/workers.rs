//! Who accepts: the counts that the kernel side keeps for each process and listener, if it is asked to.

use aya::maps::{HashMap, MapData, MapError, Queue};
use queue_trace_common::WorkerInfo;

use super::shared::Shared;

/// The maps of workers.
pub struct Workers {
    index: HashMap<MapData, u64, u32>,
    entries: Shared<WorkerInfo>,
    /// As many for each CPU as there are entries.
    accepts: Shared<u64>,
    free: Queue<MapData, u32>,
}

impl Workers {
    /// Takes the maps.
    #[must_use]
    pub fn new(
        index: HashMap<MapData, u64, u32>,
        entries: Shared<WorkerInfo>,
        accepts: Shared<u64>,
        free: Queue<MapData, u32>,
    ) -> Self {
        Self { index, entries, accepts, free }
    }

    /// Hands all entries out.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn hand_out(&mut self) -> Result<(), MapError> {
        for entry in 0..self.entries.len() {
            self.free.push(entry, 0)?;
        }
        Ok(())
    }

    /// The processes that have accepted, each at each of its listeners, and how many connections.
    pub fn all(&self) -> impl Iterator<Item = (WorkerInfo, u64)> + '_ {
        self.numbered().map(|(entry, worker)| (worker, self.accepts(entry)))
    }

    /// All CPUs together.
    fn accepts(&self, entry: u32) -> u64 {
        self.words(entry).map(|word| self.accepts.get(word)).sum()
    }

    fn words(&self, entry: u32) -> impl Iterator<Item = u32> + use<> {
        (entry..self.accepts.len()).step_by(self.entries.len() as usize)
    }

    fn numbered(&self) -> impl Iterator<Item = (u32, WorkerInfo)> + '_ {
        let entries = (0..self.entries.len()).map(|entry| (entry, self.entries.get(entry)));
        entries.filter(|(_, worker)| worker.pid != 0)
    }

    /// Forgets what was counted.
    pub fn clear(&mut self) {
        for word in 0..self.accepts.len() {
            self.accepts.set(word, 0);
        }
    }

    /// Gives the entries of a slot's listener back.
    ///
    /// # Errors
    ///
    /// As [`Self::hand_out`].
    pub fn release(&mut self, slot: u32) -> Result<(), MapError> {
        self.release_those(|worker| worker.slot == slot)
    }

    /// When room gets scarce, gives the entries of processes back that are gone: what they accepted stays in
    /// the counts of their listeners.
    ///
    /// # Errors
    ///
    /// As [`Self::hand_out`].
    pub fn make_room(&mut self, lives: impl Fn(u32) -> bool) -> Result<(), MapError> {
        let used = self.numbered().count();
        let scarce = used > self.entries.len() as usize / 4 * 3;
        if scarce { self.release_those(|worker| !lives(worker.pid)) } else { Ok(()) }
    }

    fn release_those(&mut self, which: impl Fn(&WorkerInfo) -> bool) -> Result<(), MapError> {
        let those: Vec<_> = self.numbered().filter(|(_, worker)| which(worker)).collect();
        for (entry, worker) in those {
            self.index.remove(&WorkerInfo::key(worker.slot, worker.pid))?;
            self.entries.set(entry, WorkerInfo::default());
            self.words(entry).for_each(|word| self.accepts.set(word, 0));
            self.free.push(entry, 0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aya::maps::Array;

    use super::super::maps::MMAPABLE;
    use super::*;

    const ENTRIES: u32 = 8;
    const CPUS: u32 = 3;

    /// As if the kernel side had entered processes: slot and number of each; nothing where maps cannot be made.
    fn workers(entered: &[(u32, u32)]) -> Option<Workers> {
        let index = HashMap::create(ENTRIES, 0).ok()?;
        let entries = Shared::new(&Array::create(ENTRIES, MMAPABLE).ok()?).unwrap();
        let accepts = Shared::new(&Array::create(ENTRIES * CPUS, MMAPABLE).ok()?).unwrap();
        let free = Queue::create(ENTRIES, 0).ok()?;
        let mut workers = Workers::new(index, entries, accepts, free);
        workers.hand_out().unwrap();
        for (slot, pid) in entered {
            let entry = workers.free.pop(0).unwrap();
            workers.index.insert(WorkerInfo::key(*slot, *pid), entry, 0).unwrap();
            let info = WorkerInfo { slot: *slot, pid: *pid, ..WorkerInfo::default() };
            workers.entries.set(entry, info);
            for cpu in 0..CPUS {
                workers.accepts.set(cpu * ENTRIES + entry, u64::from(pid * 10 + cpu));
            }
        }
        Some(workers)
    }

    fn told(workers: &Workers) -> Vec<(u32, u32, u64)> {
        workers.all().map(|(worker, accepts)| (worker.slot, worker.pid, accepts)).collect()
    }

    #[test]
    fn processors_are_added_up_and_forgotten() {
        let Some(mut workers) = workers(&[(1, 7), (2, 7), (1, 8)]) else { return };
        assert_eq!(told(&workers), [(1, 7, 213), (2, 7, 213), (1, 8, 243)]);
        workers.clear();
        assert_eq!(told(&workers), [(1, 7, 0), (2, 7, 0), (1, 8, 0)]);
    }

    #[test]
    fn a_slot_that_is_given_back_takes_its_workers_along() {
        let Some(mut workers) = workers(&[(1, 7), (2, 7), (1, 8)]) else { return };
        workers.release(1).unwrap();
        assert_eq!(told(&workers), [(2, 7, 213)]);
        assert!(workers.index.get(&WorkerInfo::key(1, 7), 0).is_err());
        let free: Vec<_> = std::iter::from_fn(|| workers.free.pop(0).ok()).collect();
        assert_eq!(free, [3, 4, 5, 6, 7, 0, 2]);
        assert_eq!(workers.accepts(0), 0);
    }

    #[test]
    fn the_dead_make_room_only_when_it_is_scarce() {
        let many: Vec<_> = (1..=7).map(|pid| (1, pid)).collect();
        let Some(mut workers) = workers(&many) else { return };
        workers.make_room(|pid| pid > 2).unwrap();
        assert_eq!(told(&workers).len(), 5);
        workers.make_room(|_| false).unwrap();
        assert_eq!(told(&workers).len(), 5);
    }
}
