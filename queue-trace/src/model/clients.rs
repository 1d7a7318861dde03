//! What the clients paid: refusals joined to the retry that got in, or never came.

use std::collections::HashMap;
use std::net::SocketAddr;

use queue_trace_common::{Event, Outcome};

use super::QueueEvent;

/// How many refused clients are followed at once.
pub(super) const FOLLOWED: usize = 65_536;

/// When a Linux client that keeps being refused tries again after its first SYN, seconds: 1, 3, 7, 15,
/// 31, 63 by doubling from an initial timeout of 1 s (RFC 6298), and 1, 2, 3, 4, 5, 7, 11, 19, 35
/// where the first four are not doubled (`tcp_syn_linear_timeouts`, Linux 6.5).
pub const RETRIES: [u64; 12] = [1, 2, 3, 4, 5, 7, 11, 15, 19, 31, 35, 63];

const SECOND: u64 = 1_000_000_000;

/// What the clients of one listener paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paid {
    /// Clients that got in after less than half a second.
    pub briefly: u64,
    /// Clients that got in after about as long as [`RETRIES`] has it.
    pub delayed: [u64; RETRIES.len()],
    /// Clients whose connection was reset (`tcp_abort_on_overflow`), or that the kernel gave up on.
    pub reset: u64,
    /// Clients that have not come back yet, but whose next try is not due.
    pub trying: u64,
    /// Clients that should have come back and did not.
    pub lost: u64,
    /// Refusals of clients that could not be followed, because too many were followed already.
    pub unfollowed: u64,
    /// Refusals of which no record came (thinned, or shed), so that nobody could follow their clients.
    pub unseen_refusals: u64,
    /// Clients that are told as trying or lost and may have got in: no record came of so many connections.
    pub unseen_entries: u64,
}

impl Paid {
    /// Clients that got in late.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.briefly + self.delayed.iter().sum::<u64>()
    }

    /// Clients that never got in, as far as one can tell now.
    #[must_use]
    pub fn never(&self) -> u64 {
        self.reset + self.lost
    }

    fn admit(&mut self, delay_ns: u64) {
        if delay_ns < SECOND / 2 {
            self.briefly += 1;
            return;
        }
        // The boundary between two tries lies midway.
        let nearest = RETRIES
            .windows(2)
            .position(|pair| matches!(pair, [a, b] if delay_ns < (a + b) * SECOND / 2))
            .unwrap_or(RETRIES.len() - 1);
        if let Some(count) = self.delayed.get_mut(nearest) {
            *count += 1;
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    first_ns: u64,
    last_ns: u64,
}

/// Follows refused clients.
#[derive(Debug, Default)]
pub struct Clients {
    waiting: HashMap<(u32, SocketAddr), Attempt>,
    paid: HashMap<u32, Paid>,
}

impl Clients {
    /// The outcomes that have to be seen for this.
    #[must_use]
    pub fn needs(outcome: Outcome) -> bool {
        matches!(
            outcome.event(),
            Event::SynRefused
                | Event::AckRefused
                | Event::Established
                | Event::CookieValid
                | Event::SynFastopen
        ) || outcome == Outcome::ExpiredRetries
    }

    /// Takes notice of an event at a listener. If it lets in a client that had been refused: for how long it
    /// had, nanoseconds.
    pub fn observe(&mut self, listener: u32, event: &QueueEvent) -> Option<u64> {
        let client = event.client?;
        let key = (listener, client);
        match event.event() {
            Event::SynRefused | Event::AckRefused => self.refused(key, event),
            Event::Established | Event::CookieValid | Event::SynFastopen => {
                let attempt = self.waiting.remove(&key)?;
                let delay = event.time_ns.saturating_sub(attempt.first_ns);
                self.paid.entry(listener).or_default().admit(delay);
                return Some(delay);
            }
            // The kernel gave the half-open request up: its client will not get in by it.
            Event::RequestExpired if self.waiting.remove(&key).is_some() => {
                self.paid.entry(listener).or_default().reset += 1;
            }
            _ => {}
        }
        None
    }

    fn refused(&mut self, key: (u32, SocketAddr), event: &QueueEvent) {
        if event.outcome == Outcome::AckAcceptQueueFullReset {
            self.waiting.remove(&key);
            self.paid.entry(key.0).or_default().reset += 1;
        } else if let Some(attempt) = self.waiting.get_mut(&key) {
            attempt.last_ns = event.time_ns;
        } else if self.waiting.len() < FOLLOWED {
            let now = event.time_ns;
            self.waiting.insert(key, Attempt { first_ns: now, last_ns: now });
        } else {
            self.paid.entry(key.0).or_default().unfollowed += 1;
        }
    }

    /// What the clients of a listener have paid by `now_ns`.
    #[must_use]
    pub fn paid(&self, listener: u32, now_ns: u64) -> Paid {
        let mut paid = self.paid.get(&listener).copied().unwrap_or_default();
        for ((_, _), attempt) in self.waiting.iter().filter(|((id, _), _)| *id == listener) {
            // The wait for the next try is as long as all so far, and a second; half one for luck.
            let tried = attempt.last_ns - attempt.first_ns;
            if now_ns < attempt.last_ns + tried + SECOND * 3 / 2 {
                paid.trying += 1;
            } else {
                paid.lost += 1;
            }
        }
        paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outcome: Outcome, port: u16, seconds: f64) -> QueueEvent {
        let client = Some(SocketAddr::from(([10, 0, 0, 1], port)));
        QueueEvent { client, ..QueueEvent::made(outcome, (seconds * SECOND as f64) as u64) }
    }

    #[test]
    fn a_client_that_is_refused_twice_is_delayed_by_three_seconds() {
        let mut clients = Clients::default();
        clients.observe(1, &event(Outcome::SynAcceptQueueFull, 1, 10.0));
        clients.observe(1, &event(Outcome::SynAcceptQueueFull, 1, 11.02));
        clients.observe(1, &event(Outcome::Established, 1, 13.05));
        clients.observe(1, &event(Outcome::Established, 2, 13.05));
        let paid = clients.paid(1, 14 * SECOND);
        assert_eq!(paid, Paid { delayed: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], ..Paid::default() });
        assert_eq!(clients.paid(2, 14 * SECOND), Paid::default());
    }

    #[test]
    fn a_client_is_lost_once_its_next_try_is_overdue() {
        let mut clients = Clients::default();
        clients.observe(1, &event(Outcome::AckAcceptQueueFull, 1, 10.0));
        clients.observe(1, &event(Outcome::AckAcceptQueueFull, 1, 13.0));
        assert_eq!(clients.paid(1, 17 * SECOND).trying, 1);
        assert_eq!(clients.paid(1, 18 * SECOND).lost, 1);
    }

    #[test]
    fn a_reset_client_never_gets_in() {
        let mut clients = Clients::default();
        clients.observe(1, &event(Outcome::AckAcceptQueueFullReset, 1, 10.0));
        assert_eq!(clients.paid(1, 10 * SECOND).never(), 1);
    }

    #[test]
    fn what_cannot_be_followed_is_counted() {
        let mut clients = Clients::default();
        for number in 0..=FOLLOWED {
            let mut refused = event(Outcome::SynQueueFull, (number % 60_000) as u16, 1.0);
            let third = (number / 60_000) as u8;
            refused.client =
                refused.client.map(|c| SocketAddr::from(([10, 0, third, 1], c.port())));
            clients.observe(1, &refused);
        }
        assert_eq!(clients.paid(1, SECOND).unfollowed, 1);
    }
}
