//! What the records tell beyond the counters.

use queue_trace_common::Event;

use super::{Clients, QueueEvent, Times};

/// Times of one listener, from the records that were delivered.
#[derive(Debug, Default, Clone)]
pub struct ListenerTimes {
    /// Waits in the accept queue.
    pub wait: Times,
    /// Handshakes.
    pub handshake: Times,
}

/// Gathers what the records tell: the times of each listener, and what its clients paid.
#[derive(Debug, Default)]
pub struct Observed {
    /// By number of the listener: they are given out one after the other.
    times: Vec<ListenerTimes>,
    clients: Clients,
}

impl Observed {
    /// Takes notice of an event at a listener.
    pub fn take(&mut self, listener: u32, event: &QueueEvent) {
        if let Some(duration) = event.duration_ns {
            match event.event() {
                Event::Accept => self.times_of(listener).wait.record(duration),
                Event::Established => self.times_of(listener).handshake.record(duration),
                _ => {}
            }
        }
        self.clients.observe(listener, event);
    }

    /// The times of a listener, if there were any.
    #[must_use]
    pub fn times(&self, listener: u32) -> Option<&ListenerTimes> {
        self.times.get(listener as usize)
    }

    /// The refused clients.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    fn times_of(&mut self, listener: u32) -> &mut ListenerTimes {
        let index = listener as usize;
        if index >= self.times.len() {
            self.times.resize_with(index + 1, ListenerTimes::default);
        }
        &mut self.times[index]
    }
}
