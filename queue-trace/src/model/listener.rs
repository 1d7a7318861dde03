//! A listener and what happened at it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use queue_trace_common::{
    Event, Histogram, ListenerInfo, MISSING, NOT_SEEN, Outcome, Record, Tally,
};

use super::event::{Process, text};

/// `AF_INET6`.
const AF_INET6: u16 = 10;

/// Who a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Listener {
    /// Number within this run, from 1; two listeners on one address differ in it. 0 stands for all
    /// listeners for which no slot was left.
    pub id: u32,
    /// The local address; its variant is the socket's family.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// Interface index that it is bound to, if any.
    pub device: Option<u32>,
    /// The socket's cookie, which no other one has had or will have; 0 if nobody has asked the kernel for
    /// one yet.
    pub cookie: u64,
    /// Inode of its network namespace.
    pub netns: u32,
    /// Its cookie, which no other one has had or will have; 0 if the kernel gives none.
    pub netns_cookie: u64,
    /// What the kernel made of the backlog.
    pub limit: u32,
    /// What the program asked `listen()` for, if that was seen.
    pub asked: Option<u32>,
    /// `net.core.somaxconn` when `listen()` was called, if that was seen.
    pub somaxconn: Option<u32>,
    /// The processes that hold it, as far as they are known.
    pub owners: Vec<Process>,
    /// Whether it has closed.
    pub closed: bool,
}

impl Listener {
    /// The listener that the kernel side describes.
    #[must_use]
    pub fn from_info(id: u32, info: &ListenerInfo) -> Self {
        let [a, b, c, d, ..] = info.address;
        let address = if info.family == AF_INET6 {
            Ipv6Addr::from(info.address).into()
        } else {
            Ipv4Addr::new(a, b, c, d).into()
        };
        let opener =
            Process { pid: info.pid, comm: text(&info.comm).into_owned(), ..Process::default() };
        Self {
            id,
            address,
            port: info.port,
            device: (info.device != 0).then_some(info.device),
            cookie: info.cookie,
            netns: info.netns,
            netns_cookie: info.netns_cookie,
            limit: info.limit,
            asked: seen(info.asked),
            somaxconn: known(info.somaxconn),
            owners: if info.pid == 0 { Vec::new() } else { vec![opener] },
            closed: info.closed_ns != 0,
        }
    }

    /// The listener as it was right after the `listen()` of this record.
    #[must_use]
    pub fn after(&self, record: &Record) -> Self {
        let (asked, somaxconn) = (record.duration_ns as u32, (record.duration_ns >> 32) as u32);
        Self { asked: seen(asked), somaxconn: known(somaxconn), ..self.clone() }
    }

    /// What stands for the listeners for which no slot was left.
    pub const OTHERS: &str = "(other listeners)";

    /// Where it listens; nothing of what stands for several.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        (self.id != 0).then(|| SocketAddr::new(self.address, self.port))
    }

    /// `address:port`, with brackets around IPv6.
    #[must_use]
    pub fn name(&self) -> String {
        self.socket().map_or_else(|| Self::OTHERS.to_owned(), |socket| socket.to_string())
    }
}

fn seen(backlog: u32) -> Option<u32> {
    (backlog != NOT_SEEN).then_some(backlog)
}

fn known(value: u32) -> Option<u32> {
    (value != MISSING).then_some(value)
}

/// What happened at a listener, exact whatever records were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// A count for each outcome, by its number.
    pub outcomes: [u64; Outcome::COUNT],
    /// A count for each tally, by its number.
    pub tallies: [u64; Tally::COUNT],
    /// How long accepted connections had waited.
    pub waits: Histogram,
    /// How long handshakes took.
    pub handshakes: Histogram,
    /// How long the accept queue was full, nanoseconds.
    pub accept_full_ns: u64,
    /// How long the SYN queue was full, nanoseconds.
    pub syn_full_ns: u64,
    /// Since when the connection waits that has waited longest, on the monotonic clock.
    pub oldest_ns: Option<u64>,
    /// Connections in the accept queue now.
    pub waiting: u64,
    /// Half-open requests now.
    pub half_open: u64,
    /// The kernel's own count of packets that the listener discarded for whatever reason (`sk_drops`), where
    /// it was asked for; not a count of refusals.
    pub drops: Option<u64>,
    /// Greatest accept-queue depth.
    pub accept_peak: u32,
    /// Greatest SYN-queue depth.
    pub syn_peak: u32,
    /// Greatest accept-queue depth of the present period, the depth now included.
    pub recent_accept_peak: u32,
    /// Greatest SYN-queue depth of the present period, the depth now included.
    pub recent_syn_peak: u32,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            outcomes: [0; Outcome::COUNT],
            tallies: [0; Tally::COUNT],
            waits: Histogram::default(),
            handshakes: Histogram::default(),
            accept_full_ns: 0,
            syn_full_ns: 0,
            oldest_ns: None,
            waiting: 0,
            half_open: 0,
            drops: None,
            accept_peak: 0,
            syn_peak: 0,
            recent_accept_peak: 0,
            recent_syn_peak: 0,
        }
    }
}

impl Totals {
    /// The count of one outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(outcome as usize).copied().unwrap_or(0)
    }

    /// The count of one tally.
    #[must_use]
    pub fn tally(&self, tally: Tally) -> u64 {
        self.tallies.get(tally as usize).copied().unwrap_or(0)
    }

    /// The count of all outcomes of an event.
    #[must_use]
    pub fn of_event(&self, event: Event) -> u64 {
        self.by_reason(event).map(|(_, count)| count).sum()
    }

    /// The outcomes of an event that happened, each with its reason and count.
    pub fn by_reason(&self, event: Event) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL
            .iter()
            .filter(move |outcome| outcome.event() == event)
            .map(|outcome| (*outcome, self.of(*outcome)))
            .filter(|(_, count)| *count > 0)
    }

    /// SYNs that came, without those for requests that existed already.
    #[must_use]
    pub fn syns(&self) -> u64 {
        [Event::SynQueued, Event::SynCookie, Event::SynFastopen, Event::SynRefused]
            .map(|event| self.of_event(event))
            .iter()
            .sum()
    }

    /// Connections that entered the accept queue.
    #[must_use]
    pub fn entered(&self) -> u64 {
        [Outcome::Established, Outcome::CookieEstablished, Outcome::SynFastopen]
            .map(|outcome| self.of(outcome))
            .iter()
            .sum()
    }

    /// Adds another listener's.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum = sum.wrapping_add(count);
        }
        for (sum, count) in self.tallies.iter_mut().zip(other.tallies) {
            *sum = sum.wrapping_add(count);
        }
        self.waits.add(&other.waits);
        self.handshakes.add(&other.handshakes);
        self.accept_full_ns += other.accept_full_ns;
        self.syn_full_ns += other.syn_full_ns;
        self.oldest_ns = [self.oldest_ns, other.oldest_ns].into_iter().flatten().min();
        self.waiting += other.waiting;
        self.half_open += other.half_open;
        self.drops = [self.drops, other.drops].into_iter().flatten().reduce(u64::wrapping_add);
        self.accept_peak = self.accept_peak.max(other.accept_peak);
        self.syn_peak = self.syn_peak.max(other.syn_peak);
        self.recent_accept_peak = self.recent_accept_peak.max(other.recent_accept_peak);
        self.recent_syn_peak = self.recent_syn_peak.max(other.recent_syn_peak);
    }

    /// What happened since an earlier state of the same listener: what is now stays, and the peaks are those of
    /// the present period.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.outcomes.iter_mut().zip(before.outcomes) {
            *count = count.wrapping_sub(before);
        }
        for (count, before) in since.tallies.iter_mut().zip(before.tallies) {
            *count = count.wrapping_sub(before);
        }
        since.waits = self.waits.since(&before.waits);
        since.handshakes = self.handshakes.since(&before.handshakes);
        since.accept_full_ns = self.accept_full_ns.saturating_sub(before.accept_full_ns);
        since.syn_full_ns = self.syn_full_ns.saturating_sub(before.syn_full_ns);
        since.drops = self.drops.map(|drops| drops.wrapping_sub(before.drops.unwrap_or(0)));
        since.accept_peak = self.recent_accept_peak;
        since.syn_peak = self.recent_syn_peak;
        since
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.iter().all(|count| *count == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_what_was_added() {
        let mut before = Totals { accept_full_ns: 5, accept_peak: 9, ..Totals::default() };
        before.outcomes[Outcome::Accepted as usize] = 3;
        before.waits.buckets[2] = 3;
        let mut now = Totals { recent_accept_peak: 4, waiting: 2, ..before };
        now.outcomes[Outcome::Accepted as usize] = 10;
        now.waits.buckets[2] = 10;
        now.accept_full_ns = 12;
        let since = now.since(&before);
        assert_eq!((since.of(Outcome::Accepted), since.waits.count()), (7, 7));
        assert_eq!((since.accept_full_ns, since.accept_peak, since.waiting), (7, 4, 2));
        assert!(now.since(&now).is_empty());
    }
}
