//! How the queues fared since they were last looked at.

use std::collections::HashMap;

use super::Live;
use queue_trace_common::Histogram;

use crate::model::{Listener, Totals};

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
    /// How long the connections had waited that were accepted.
    pub waits: Histogram,
    /// Since when the connection waits that has waited longest, on the monotonic clock.
    pub oldest_ns: Option<u64>,
}

/// The listeners at the last status, by number.
#[derive(Debug, Default)]
pub(super) struct Before(HashMap<u32, Seen>);

/// A listener at the last status: how long its queues had been full, and how deep they were.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    accept_full_ns: u64,
    syn_full_ns: u64,
    waiting: u64,
    half_open: u64,
    waits: Histogram,
}

impl Before {
    /// How these listeners fared since the last call. Those with nothing in their queues are left out.
    pub(super) fn next(
        &mut self,
        listeners: impl IntoIterator<Item = (Listener, Totals)>,
    ) -> Vec<Status> {
        let mut all = Vec::new();
        let mut now = HashMap::new();
        for (listener, totals) in listeners {
            let Totals { accept_full_ns, syn_full_ns, waiting, half_open, waits, .. } = totals;
            let before = self.0.get(&listener.id).copied().unwrap_or_default();
            now.insert(
                listener.id,
                Seen { accept_full_ns, syn_full_ns, waiting, half_open, waits },
            );
            let status = Status {
                // What was in a queue at the beginning belongs to the interval.
                accept: (waiting, totals.recent_accept_peak.max(before.waiting as u32)),
                syn_peak: totals.recent_syn_peak.max(before.half_open as u32),
                accept_full_ns: accept_full_ns.saturating_sub(before.accept_full_ns),
                syn_full_ns: syn_full_ns.saturating_sub(before.syn_full_ns),
                waits: waits.since(&before.waits),
                oldest_ns: totals.oldest_ns,
                listener,
            };
            if status.accept.1 > 0 || status.syn_peak > 0 {
                all.push(status);
            }
        }
        self.0 = now;
        all
    }
}

impl Live {
    /// The listeners with anything in their queues since the last call, or since counting began.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn status(&mut self) -> anyhow::Result<Vec<Status>> {
        let listeners = self.listeners()?;
        self.next_period();
        Ok(self.before.next(listeners))
    }
}
