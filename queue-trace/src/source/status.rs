//! How the queues fared since they were last looked at.

use std::collections::HashMap;

use super::Live;
use crate::model::Listener;

/// One listener since the last status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Who.
    pub listener: Listener,
    /// Connections in the accept queue now, and at most.
    pub accept: (u64, u32),
    /// At most so many half-open requests.
    pub syn_peak: u32,
    /// How long the accept queue was full, nanoseconds.
    pub accept_full_ns: u64,
    /// How long the SYN queue was full, nanoseconds.
    pub syn_full_ns: u64,
    /// Since when the connection waits that has waited longest, on the monotonic clock.
    pub oldest_ns: Option<u64>,
}

/// How long the queues of listeners, by number, had been full at the last status.
pub(super) type Before = HashMap<u32, (u64, u64)>;

impl Live {
    /// The listeners with anything in their queues since the last call, or since counting began.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn status(&mut self) -> anyhow::Result<Vec<Status>> {
        let listeners = self.listeners()?;
        self.next_period()?;
        let mut all = Vec::new();
        let mut now = Before::new();
        for (listener, totals) in listeners {
            let full = (totals.accept_full_ns, totals.syn_full_ns);
            let before = self.before.get(&listener.id).copied().unwrap_or_default();
            now.insert(listener.id, full);
            let status = Status {
                accept: (totals.waiting, totals.recent_accept_peak),
                syn_peak: totals.recent_syn_peak,
                accept_full_ns: full.0.saturating_sub(before.0),
                syn_full_ns: full.1.saturating_sub(before.1),
                oldest_ns: totals.oldest_ns,
                listener,
            };
            if status.accept.1 > 0 || status.syn_peak > 0 {
                all.push(status);
            }
        }
        self.before = now;
        Ok(all)
    }
}
