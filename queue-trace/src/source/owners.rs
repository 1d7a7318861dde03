//! Who holds the listeners now: the process that opened one may have handed it on and be gone.

use std::time::Duration;

use queue_trace_common::ListenerInfo;

use super::seeds::Seeds;
use super::{Live, monotonic_ns};

impl Live {
    /// Looks through `/proc` for who holds the listeners, if one was opened since that was last done or it was
    /// done longer ago than `fresh`. Of a listener that nobody is seen to hold, the owners stay as they were
    /// known. All processes' descriptors are read once, whatever the number of listeners.
    ///
    /// # Errors
    ///
    /// When the kernel does not run our program.
    pub fn refresh_owners(&mut self, fresh: Duration) -> anyhow::Result<()> {
        let last = self.seeds.at_ns;
        let old = Duration::from_nanos(monotonic_ns().saturating_sub(last)) > fresh;
        let open = self.open();
        if open.is_empty() || !(old || open.iter().any(|(_, info)| info.opened_ns > last)) {
            return Ok(());
        }
        self.gather()
    }

    /// Asks the system anew which listeners there are, and who holds them.
    pub(super) fn gather(&mut self) -> anyhow::Result<()> {
        self.seeds = Seeds::gather();
        let open = self.open();
        // By now each listener has a cookie, of which the kernel side takes note here.
        self.attached.look(open.iter().map(|(slot, _)| *slot))?;
        for (slot, _) in open {
            let info = self.maps.slots.info(slot);
            self.names.refresh(slot, &info, |listener| self.seeds.owners(&info, listener));
        }
        self.names.forget_silent(|cookie| self.seeds.knows(cookie));
        Ok(())
    }

    /// The slots of listeners that have not closed.
    fn open(&self) -> Vec<(u32, ListenerInfo)> {
        self.maps.slots.used().into_iter().filter(|(_, info)| info.closed_ns == 0).collect()
    }
}
