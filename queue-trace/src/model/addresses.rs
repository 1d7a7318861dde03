//! From how many addresses a listener was pressed.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use queue_trace_common::Event;

use super::QueueEvent;

/// How many addresses are told apart, over all listeners: a flood forges millions.
const TOLD_APART: usize = 65_536;

/// The addresses whose SYNs were refused or answered with a cookie, by listener.
#[derive(Debug, Default)]
pub struct Addresses {
    seen: HashMap<u32, HashSet<IpAddr>>,
    all: usize,
}

impl Addresses {
    /// Takes notice of an event at a listener.
    pub fn observe(&mut self, listener: u32, event: &QueueEvent) {
        let pressing = matches!(event.event(), Event::SynRefused | Event::SynCookie);
        if let Some(client) = event.client.filter(|_| pressing && self.all < TOLD_APART) {
            let new = self.seen.entry(listener).or_default().insert(client.ip());
            self.all += usize::from(new);
        }
    }

    /// How many there were at a listener; at least so many, if there were very many.
    #[must_use]
    pub fn of(&self, listener: u32) -> u64 {
        self.seen.get(&listener).map_or(0, |addresses| addresses.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use queue_trace_common::Outcome;

    use super::*;

    #[test]
    fn an_address_counts_once_and_only_when_it_presses() {
        let mut addresses = Addresses::default();
        let event = |outcome, host, port| QueueEvent {
            client: Some(SocketAddr::from(([10, 0, 0, host], port))),
            ..QueueEvent::made(outcome, 0)
        };
        addresses.observe(1, &event(Outcome::SynCookie, 1, 1));
        addresses.observe(1, &event(Outcome::SynQueueFull, 1, 2));
        addresses.observe(1, &event(Outcome::SynCookie, 2, 1));
        addresses.observe(1, &event(Outcome::Established, 3, 1));
        assert_eq!((addresses.of(1), addresses.of(2)), (2, 0));
    }
}
