//! Listeners summed by where they listen: counters that outlive a restart of the program that listens.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::net::IpAddr;

use queue_trace_common::Event;

use super::growth::Growth;
use super::lately::Lately;
use super::peaks::Recent;
use super::{Listener, Snapshot, Totals, Worker};

/// How long a service is kept that nobody provides any more, where its place is wanted by another one.
const RESTART_NS: u64 = 600_000_000_000;

/// Where a service listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Inode of the network namespace.
    pub netns: u32,
    /// The local address.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// Interface index that its sockets are bound to, if any.
    pub device: Option<u32>,
}

impl Key {
    /// Where a listener listens; nothing for what stands for those that had no slot.
    #[must_use]
    pub fn of(listener: &Listener) -> Option<Self> {
        let Listener { netns, address, port, device, .. } = *listener;
        listener.socket().map(|_| Self { netns, address, port, device })
    }
}

/// All listeners of one place, those that have closed included.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// Counters since it was first seen, which never fall; depths and ages of the open listeners.
    pub totals: Totals,
    /// Which entries of the snapshot's list are its open listeners.
    pub open: Vec<usize>,
    /// The sum of their limits.
    pub limit: u64,
    /// The greatest depth of the accept queue of the last minute; of several listeners the sum of what each
    /// reached.
    pub accept_peak: Recent<u64>,
    /// The same of the SYN queue.
    pub syn_peak: Recent<u64>,
    /// How full the fullest accept queue was in the last minute: 1 is full (limit + 1 connections).
    pub fullness: Recent<f64>,
    /// How uneven its open listeners accept; see [`imbalance`].
    pub member_imbalance: Option<f64>,
    /// How uneven the processes accept that share its listeners.
    pub worker_imbalance: Option<f64>,
    /// When its counters were zero, on the monotonic clock; nothing if that was when counting began.
    pub began_ns: Option<u64>,
    /// Since when it has had no open listener.
    closed_ns: Option<u64>,
}

/// How unevenly work is spread: the greatest share over the even one. 1 is even, the number of counts is
/// all work at one; nothing where there is no other one or no work.
#[must_use]
pub fn imbalance(counts: &[u64]) -> Option<f64> {
    let sum: u64 = counts.iter().sum();
    let greatest = *counts.iter().max()?;
    (counts.len() > 1 && sum > 0).then(|| greatest as f64 * counts.len() as f64 / sum as f64)
}

/// The services, not more than a given number: the others are summed up in a remainder.
#[derive(Debug, Clone)]
pub struct Services {
    bound: usize,
    known: BTreeMap<Key, Service>,
    remainder: Service,
    folded: usize,
    time_ns: u64,
    /// Whether any has lost its place, so that one that gets one may have had it before.
    given_up: bool,
    growth: Growth,
    lately: Lately,
}

impl Services {
    /// None yet, and never more than `bound`.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self {
            bound,
            known: BTreeMap::new(),
            remainder: Service::default(),
            folded: 0,
            time_ns: 0,
            given_up: false,
            growth: Growth::default(),
            lately: Lately::default(),
        }
    }

    /// The services with a place of their own, in order.
    pub fn known(&self) -> impl Iterator<Item = (&Key, &Service)> {
        self.known.iter()
    }

    /// The sum of all others: of those beyond the bound, of those that left for others, and of the
    /// listeners that had no slot.
    #[must_use]
    pub fn remainder(&self) -> &Service {
        &self.remainder
    }

    /// How many services with an open listener are in the remainder.
    #[must_use]
    pub fn folded(&self) -> usize {
        self.folded
    }

    /// How many may have a place of their own.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// When the last snapshot was taken that went in, nanoseconds of the monotonic clock.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        self.time_ns
    }

    /// What happened at each listener of the last snapshot within the last half to whole minute, in its order, and
    /// since when; nothing of those at which nothing did and whose queues are empty.
    #[must_use]
    pub fn lately(&self, snapshot: &Snapshot) -> (u64, Vec<Option<Totals>>) {
        let all = snapshot.listeners.iter();
        let all = all.map(|(listener, totals)| self.lately.of(listener, totals));
        (self.lately.began_ns(), all.collect())
    }

    /// Where a listener is counted, if that is not in the remainder.
    #[must_use]
    pub fn key_of(&self, listener: &Listener) -> Option<Key> {
        Key::of(listener).filter(|key| self.known.contains_key(key))
    }

    /// Takes in a snapshot, which is not older than the one before.
    pub fn fold(&mut self, snapshot: &Snapshot) {
        self.admit(snapshot);
        let first = mem::replace(&mut self.time_ns, snapshot.time_ns) == 0;
        self.all_mut().for_each(Service::begin);
        self.lately.advance(snapshot.time_ns);
        for (place, growth) in self.growth.since(snapshot) {
            if let Some((listener, _)) = snapshot.listeners.get(place) {
                self.of_mut(Key::of(listener)).totals.add(&growth);
                self.lately.add(listener, &growth);
            }
        }
        if first {
            // It may go on with what a former daemon counted for days.
            self.lately.begin(snapshot.time_ns);
        }
        let mut folded = HashSet::new();
        let open = snapshot.listeners.iter().enumerate().filter(|(_, (l, _))| !l.closed);
        for (place, (listener, totals)) in open {
            let key = Key::of(listener);
            folded.extend(key.filter(|key| !self.known.contains_key(key)));
            let service = self.of_mut(key);
            service.add_moment(totals);
            // The shared slot is no listener.
            service.open.extend(key.map(|_| place));
        }
        self.folded = folded.len();
        let mut workers: HashMap<u32, Vec<&Worker>> = HashMap::new();
        for worker in &snapshot.workers {
            workers.entry(worker.listener).or_default().push(worker);
        }
        self.all_mut().for_each(|service| service.end(snapshot, &workers));
    }

    /// Where a listener is counted.
    fn of_mut(&mut self, key: Option<Key>) -> &mut Service {
        key.and_then(|key| self.known.get_mut(&key)).unwrap_or(&mut self.remainder)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Service> {
        self.known.values_mut().chain([&mut self.remainder])
    }

    /// Gives places to services that have none: the busiest first, as far as there are any.
    fn admit(&mut self, snapshot: &Snapshot) {
        let mut activity: BTreeMap<Key, u64> = BTreeMap::new();
        for (listener, totals) in &snapshot.listeners {
            let Some(key) = Key::of(listener).filter(|key| !self.known.contains_key(key)) else {
                continue;
            };
            let so_far = totals.outcomes.iter().sum::<u64>();
            let happened = so_far.saturating_sub(self.growth.so_far(listener));
            // Those that closed long ago had their place.
            if !listener.closed || happened > 0 {
                *activity.entry(key).or_default() += happened;
            }
        }
        let mut candidates: Vec<_> = activity.into_iter().collect();
        candidates.sort_by_key(|(key, activity)| (std::cmp::Reverse(*activity), *key));
        for (key, _) in candidates {
            if self.known.len() >= self.bound && !self.give_up_one(snapshot.time_ns) {
                return;
            }
            let began_ns = self.given_up.then_some(self.time_ns);
            self.known.insert(key, Service { began_ns, ..Service::default() });
        }
    }

    /// Moves what was counted at the service that has been closed for longest into the remainder.
    fn give_up_one(&mut self, now_ns: u64) -> bool {
        let closed = |(key, service): (&Key, &Service)| Some((service.closed_ns?, *key));
        let Some((since, key)) = self.known.iter().filter_map(closed).min() else { return false };
        if now_ns.saturating_sub(since) < RESTART_NS {
            return false;
        }
        if let Some(service) = self.known.remove(&key) {
            self.remainder.totals.add(&service.totals);
        }
        self.given_up = true;
        true
    }
}

impl Service {
    /// Forgets what is of one moment only.
    fn begin(&mut self) {
        self.open.clear();
        self.limit = 0;
        self.totals.waiting = 0;
        self.totals.half_open = 0;
        self.totals.oldest_ns = None;
    }

    /// Adds what a listener's queues hold now.
    fn add_moment(&mut self, now: &Totals) {
        self.totals.waiting += now.waiting;
        self.totals.half_open += now.half_open;
        self.totals.oldest_ns = [self.totals.oldest_ns, now.oldest_ns].into_iter().flatten().min();
    }

    /// Sums up the open listeners.
    fn end(&mut self, snapshot: &Snapshot, workers: &HashMap<u32, Vec<&Worker>>) {
        let (mut accept, mut syn, mut fullness) = (0, 0, 0.0_f64);
        let (mut members, mut processes) = (Vec::new(), BTreeMap::new());
        for (listener, totals) in
            self.open.iter().filter_map(|place| snapshot.listeners.get(*place))
        {
            let deepest = u64::from(totals.recent_accept_peak).max(totals.waiting);
            accept += deepest;
            syn += u64::from(totals.recent_syn_peak).max(totals.half_open);
            fullness = fullness.max(deepest as f64 / (f64::from(listener.limit) + 1.0));
            self.limit += u64::from(listener.limit);
            members.push(totals.of_event(Event::Accept));
            for worker in workers.get(&listener.id).into_iter().flatten() {
                *processes.entry(worker.pid).or_default() += worker.accepts;
            }
        }
        self.accept_peak.push(snapshot.time_ns, accept);
        self.syn_peak.push(snapshot.time_ns, syn);
        self.fullness.push(snapshot.time_ns, fullness);
        self.member_imbalance = imbalance(&members);
        self.worker_imbalance = imbalance(&processes.into_values().collect::<Vec<_>>());
        self.closed_ns = match self.open.is_empty() {
            true => self.closed_ns.or(Some(snapshot.time_ns)),
            false => None,
        };
    }
}

#[cfg(test)]
mod tests;
