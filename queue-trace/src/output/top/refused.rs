//! The clients that were refused lately, and how they fare.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use queue_trace_common::{Event, Outcome};

use crate::model::QueueEvent;

/// So many are kept of each listener.
const KEPT: usize = 64;

/// A client that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    /// When it was refused first, and last, on the monotonic clock.
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    /// How often.
    pub(super) times: u32,
    /// What became of its last try.
    pub(super) outcome: Outcome,
    /// When it got in after all.
    pub(super) entered_ns: Option<u64>,
}

/// The clients that were refused lately.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// By listener, the latest last.
    clients: HashMap<u32, VecDeque<Client>>,
}

impl Refused {
    /// Takes notice of an event at a listener.
    pub(super) fn observe(&mut self, listener: u32, event: &QueueEvent) {
        let Some(address) = event.client else { return };
        match event.event() {
            Event::SynRefused | Event::AckRefused => self.refuse(listener, address, event),
            Event::Established | Event::CookieValid | Event::SynFastopen => {
                let known = self.clients.get_mut(&listener).into_iter().flatten();
                let known = known.rev().find(|known| known.address == address);
                if let Some(known) = known.filter(|known| known.entered_ns.is_none()) {
                    known.entered_ns = Some(event.time_ns);
                }
            }
            _ => {}
        }
    }

    fn refuse(&mut self, listener: u32, address: SocketAddr, event: &QueueEvent) {
        let clients = self.clients.entry(listener).or_default();
        let known = clients.iter().rposition(|known| known.address == address);
        // One that got in and comes again from the same port is another one.
        let known = known.and_then(|at| clients.remove(at).filter(|k| k.entered_ns.is_none()));
        let (first_ns, times) =
            known.map_or((event.time_ns, 0), |known| (known.first_ns, known.times));
        clients.push_back(Client {
            address,
            first_ns,
            last_ns: event.time_ns,
            times: times + 1,
            outcome: event.outcome,
            entered_ns: None,
        });
        if clients.len() > KEPT {
            clients.pop_front();
        }
    }

    /// Those of a listener as they were at a time, the latest first.
    pub(super) fn of(&self, listener: u32, now_ns: u64) -> impl Iterator<Item = Client> {
        let known = self.clients.get(&listener).into_iter().flatten().rev();
        known.filter(move |client| client.first_ns <= now_ns).map(move |client| Client {
            entered_ns: client.entered_ns.filter(|entered| *entered <= now_ns),
            ..*client
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outcome: Outcome, port: u16, time_ns: u64) -> QueueEvent {
        let client = Some(SocketAddr::from(([10, 0, 0, 1], port)));
        QueueEvent { client, ..QueueEvent::made(outcome, time_ns) }
    }

    #[test]
    fn a_client_is_told_once_with_its_last_try() {
        let mut refused = Refused::default();
        for (outcome, port, time) in [
            (Outcome::SynAcceptQueueFull, 1, 10),
            (Outcome::SynAcceptQueueFull, 2, 11),
            (Outcome::AckAcceptQueueFull, 1, 12),
            (Outcome::Established, 1, 15),
        ] {
            refused.observe(7, &event(outcome, port, time));
        }
        let told = |now| -> Vec<_> {
            let one = |c: Client| (c.address.port(), c.times, c.outcome, c.entered_ns);
            refused.of(7, now).map(one).collect()
        };
        let (syn, ack) = (Outcome::SynAcceptQueueFull, Outcome::AckAcceptQueueFull);
        assert_eq!(told(20), [(1, 2, ack, Some(15)), (2, 1, syn, None)]);
        assert_eq!(told(14), [(1, 2, ack, None), (2, 1, syn, None)]);
        assert_eq!(told(10), [(1, 2, ack, None)]);
        assert_eq!(refused.of(8, 20).count(), 0);
    }

    #[test]
    fn only_the_latest_are_kept() {
        let mut refused = Refused::default();
        for port in 1..=100 {
            refused.observe(1, &event(Outcome::SynQueueFull, port, port.into()));
        }
        let ports: Vec<_> = refused.of(1, 200).map(|client| client.address.port()).collect();
        assert_eq!((ports.len(), ports[0], ports[63]), (64, 100, 37));
    }
}
