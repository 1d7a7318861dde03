//! Who accepts, of the listeners that are known.

use std::path::Path;

use anyhow::Context;

use super::Live;
use crate::kernel::workers::Workers;
use crate::model::Worker;

impl Live {
    /// Who accepted how many connections; by listener, and those first that accepted most. Nobody where it is
    /// not counted.
    pub(super) fn workers(&self) -> Vec<Worker> {
        let counted = self.maps.workers.iter().flat_map(Workers::all);
        let named = counted.filter_map(|(info, accepts)| {
            self.names.get(info.slot).map(|listener| Worker::new(listener.id, &info, accepts))
        });
        let mut all: Vec<_> = self.closed_workers.iter().cloned().chain(named).collect();
        all.sort_by_key(|worker| (worker.listener, u64::MAX - worker.accepts, worker.pid));
        all
    }

    /// Keeps what is known of the workers of a slot that is about to be given back.
    pub(super) fn retire_workers(&mut self, listener: u32) {
        let all = self.workers();
        // What was kept before is among them.
        self.closed_workers.retain(|worker| worker.listener != listener);
        self.closed_workers.extend(all.into_iter().filter(|worker| worker.listener == listener));
    }

    /// Makes room for workers that come, where those that are gone take it.
    pub(super) fn tidy_workers(&mut self) -> anyhow::Result<()> {
        let Some(workers) = &mut self.maps.workers else { return Ok(()) };
        let lives = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
        workers.make_room(lives).context("cannot use the map of workers")
    }
}
