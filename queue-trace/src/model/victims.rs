//! Whom it hurt: refused clients by address.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use queue_trace_common::Event;

use super::QueueEvent;

/// More addresses than this are not told apart: a flood comes from made-up ones.
const ADDRESSES: usize = 16_384;

/// What happened to the clients at one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Victim {
    /// SYNs and final ACKs that were refused.
    pub refusals: u64,
    /// Connections that got in after that.
    pub late: u64,
    /// The longest time from the first refusal until one got in, nanoseconds.
    pub longest_ns: u64,
    /// The last refusal, on the monotonic clock.
    pub last_ns: u64,
}

/// Refused clients by listener and address.
#[derive(Debug, Default)]
pub struct Victims {
    known: HashMap<(u32, IpAddr), Victim>,
    /// Refusals of addresses beyond those, by listener.
    beyond: HashMap<u32, u64>,
}

impl Victims {
    /// Takes notice of an event at a listener; `delay_ns` is how long its client had been refused, if it got in
    /// by it.
    pub fn observe(&mut self, listener: u32, event: &QueueEvent, delay_ns: Option<u64>) {
        let Some(client) = event.client else { return };
        let key = (listener, client.ip());
        if matches!(event.event(), Event::SynRefused | Event::AckRefused) {
            if self.known.len() >= ADDRESSES && !self.known.contains_key(&key) {
                *self.beyond.entry(listener).or_default() += 1;
                return;
            }
            let victim = self.known.entry(key).or_default();
            victim.refusals += 1;
            victim.last_ns = event.time_ns;
        } else if let Some(delay_ns) = delay_ns
            && let Some(victim) = self.known.get_mut(&key)
        {
            victim.late += 1;
            victim.longest_ns = victim.longest_ns.max(delay_ns);
        }
    }

    /// Those of a listener, the ones that were refused most often first.
    #[must_use]
    pub fn of(&self, listener: u32) -> Vec<(IpAddr, Victim)> {
        let own = self.known.iter().filter(|((id, _), _)| *id == listener);
        let mut own: Vec<_> = own.map(|((_, address), victim)| (*address, *victim)).collect();
        own.sort_unstable_by_key(|(address, victim)| (Reverse(victim.refusals), *address));
        own
    }

    /// Refusals at a listener of addresses that are not told apart.
    #[must_use]
    pub fn beyond(&self, listener: u32) -> u64 {
        self.beyond.get(&listener).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use queue_trace_common::Outcome;

    use super::*;

    fn event(outcome: Outcome, address: u32, time_ns: u64) -> QueueEvent {
        let client = Some(SocketAddr::from((address.to_be_bytes(), 4000)));
        QueueEvent { client, ..QueueEvent::made(outcome, time_ns) }
    }

    #[test]
    fn those_refused_most_come_first_with_their_longest_delay() {
        let mut victims = Victims::default();
        victims.observe(1, &event(Outcome::SynAcceptQueueFull, 1, 10), None);
        for time in [11, 12] {
            victims.observe(1, &event(Outcome::SynAcceptQueueFull, 2, time), None);
        }
        for delay in [None, Some(3), Some(2)] {
            victims.observe(1, &event(Outcome::Established, 2, 20), delay);
        }
        let told = victims.of(1);
        assert_eq!(told[0].1, Victim { refusals: 2, late: 2, longest_ns: 3, last_ns: 12 });
        assert_eq!((told.len(), told[1].1.refusals, victims.of(2).len()), (2, 1, 0));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut victims = Victims::default();
        for address in 0..ADDRESSES as u32 + 3 {
            victims.observe(1, &event(Outcome::SynAcceptQueueFull, address, 1), None);
        }
        victims.observe(1, &event(Outcome::SynAcceptQueueFull, 0, 2), None);
        assert_eq!((victims.of(1).len(), victims.beyond(1)), (ADDRESSES, 3));
    }
}
