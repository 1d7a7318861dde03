//! What the records tell beyond the counters.

use queue_trace_common::{Event, Outcome};

use super::{Clients, Paid, QueueEvent, Snapshot, Times, Totals};

/// Times of one listener, from the records that were delivered.
#[derive(Debug, Default, Clone)]
pub struct ListenerTimes {
    /// Waits in the accept queue.
    pub wait: Times,
    /// Handshakes.
    pub handshake: Times,
}

/// How a client fares, as far as it is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fare {
    Refused,
    Entered,
}

impl Fare {
    fn of(outcome: Outcome) -> Option<Self> {
        match outcome.event() {
            Event::SynRefused | Event::AckRefused => Some(Self::Refused),
            Event::Established | Event::CookieValid | Event::SynFastopen => Some(Self::Entered),
            _ => None,
        }
    }

    /// How many of these outcomes are of this kind.
    fn sum(self, counts: impl Iterator<Item = (Outcome, u64)>) -> u64 {
        counts.filter(|(outcome, _)| Self::of(*outcome) == Some(self)).map(|(_, n)| n).sum()
    }
}

/// How many records came of a listener.
#[derive(Debug, Default, Clone, Copy)]
struct Delivered {
    refused: u64,
    entered: u64,
}

/// Gathers what the records tell: the times of each listener, and what its clients paid.
#[derive(Debug, Default)]
pub struct Observed {
    /// By number of the listener: they are given out one after the other.
    times: Vec<ListenerTimes>,
    /// Likewise.
    delivered: Vec<Delivered>,
    clients: Clients,
}

impl Observed {
    /// Takes notice of an event at a listener. If it lets in a client that had been refused: for how long it
    /// had, nanoseconds.
    pub fn take(&mut self, listener: u32, event: &QueueEvent) -> Option<u64> {
        if let Some(duration) = event.duration_ns {
            match event.event() {
                Event::Accept => self.times_of(listener).wait.record(duration),
                Event::Established => self.times_of(listener).handshake.record(duration),
                _ => {}
            }
        }
        match Fare::of(event.outcome) {
            Some(Fare::Refused) => place(&mut self.delivered, listener).refused += 1,
            Some(Fare::Entered) => place(&mut self.delivered, listener).entered += 1,
            None => {}
        }
        self.clients.observe(listener, event)
    }

    /// The times of a listener, if there were any.
    #[must_use]
    pub fn times(&self, listener: u32) -> Option<&ListenerTimes> {
        self.times.get(listener as usize)
    }

    /// What the clients of a listener paid, and by how much that can be wrong because records are missing.
    #[must_use]
    pub fn paid(&self, listener: u32, totals: &Totals, snapshot: &Snapshot) -> Paid {
        let mut paid = self.clients.paid(listener, snapshot.time_ns);
        let delivered = self.delivered.get(listener as usize).copied().unwrap_or_default();
        let unseen = |fare: Fare, delivered: u64| {
            let counted = Outcome::ALL.iter().copied().zip(totals.outcomes);
            let missing = snapshot.thinned.iter().chain(&snapshot.shed).copied();
            fare.sum(counted).saturating_sub(delivered).min(fare.sum(missing))
        };
        paid.unseen_refusals = unseen(Fare::Refused, delivered.refused);
        paid.unseen_entries = unseen(Fare::Entered, delivered.entered).min(paid.trying + paid.lost);
        paid
    }

    fn times_of(&mut self, listener: u32) -> &mut ListenerTimes {
        place(&mut self.times, listener)
    }
}

/// The place of a listener in a list by number.
fn place<T: Default>(list: &mut Vec<T>, listener: u32) -> &mut T {
    let index = listener as usize;
    if index >= list.len() {
        list.resize_with(index + 1, T::default);
    }
    &mut list[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(port: u16) -> QueueEvent {
        let client = Some(([10, 0, 0, 1], port).into());
        QueueEvent { client, ..QueueEvent::made(Outcome::SynAcceptQueueFull, 1) }
    }

    #[test]
    fn what_was_not_seen_is_told_within_what_was_left_out() {
        let mut observed = Observed::default();
        observed.take(1, &refusal(1));
        observed.take(1, &refusal(2));
        let mut totals = Totals::default();
        totals.outcomes[Outcome::SynAcceptQueueFull as usize] = 12;
        totals.outcomes[Outcome::Established as usize] = 5;
        let mut snapshot = Snapshot::default();
        // Nothing was left out: what is missing has only not come yet.
        assert_eq!(observed.paid(1, &totals, &snapshot).unseen_refusals, 0);
        snapshot.thinned = vec![(Outcome::SynAcceptQueueFull, 90), (Outcome::Established, 4)];
        snapshot.shed = vec![(Outcome::SynAcceptQueueFull, 1)];
        let paid = observed.paid(1, &totals, &snapshot);
        assert_eq!((paid.trying, paid.unseen_refusals, paid.unseen_entries), (2, 10, 2));
        assert_eq!(observed.paid(2, &Totals::default(), &snapshot), Paid::default());
    }
}
