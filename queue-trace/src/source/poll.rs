//! The running system as a source without BPF: `sock_diag` and `/proc`, as any user may read them.
//!
//! It sees depths, limits, owners, half-open requests, what each listener discarded, and the kernel's
//! counters; neither refusals with their reasons nor waits; and of peaks and full queues what there was
//! at the moment of a look.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context;

use super::former::fold;
use super::join::listed_one;
use super::live::monotonic_ns;
use crate::model::{Balance, Listener, NamespaceCounters, NamespaceName, Snapshot, Totals};
use crate::netlink::{self, SynQueues};
use crate::procfs::{Counters, EnterError, Namespace, Owners, reachable};

/// The name of this tier.
pub(super) const TIER: &str = "poll";
/// What it cannot see.
pub(super) const LOSSES: [&str; 2] = [
    "refusals with their reasons, waits and handshakes (tier poll: only `sk_drops` and the kernel's counters)",
    "peaks and full queues between two looks (tier poll)",
];

/// The most closed listeners that are listed.
const MOST_CLOSED: usize = 512;

/// The listeners as they were at the last look.
#[derive(Debug, Default)]
pub struct Poll {
    namespaces: Vec<Namespace>,
    /// What users know them by.
    names: Vec<NamespaceName>,
    /// The kernel's counters at the first look, by the inode of their namespace.
    baselines: BTreeMap<u64, Counters>,
    counters: Vec<NamespaceCounters>,
    /// By the cookie of the socket.
    open: HashMap<u64, Seen>,
    closed: Vec<(Listener, Totals)>,
    folded: u64,
    last_id: u32,
    /// When the last look was.
    looked_ns: u64,
    /// Whether nothing was read since the last survey.
    surveyed: bool,
}

/// A listener at the last look.
#[derive(Debug)]
struct Seen {
    listener: Listener,
    totals: Totals,
    /// Inode of the socket, by which its owners are found.
    inode: u32,
    /// Number of the look.
    look_ns: u64,
}

/// What one namespace said.
struct Look {
    netns: u32,
    listeners: Vec<netlink::Listener>,
    /// The half-open requests of each, if they were asked for.
    half_open: Option<Vec<u64>>,
}

impl Poll {
    /// Looks for the first time; what could not be seen, one line each.
    ///
    /// # Errors
    ///
    /// When not even the listeners of this program's own namespace can be read.
    pub fn start() -> anyhow::Result<(Self, Vec<String>)> {
        netlink::listeners().context("cannot poll")?;
        let mut poll = Self::default();
        let notes = poll.survey()?;
        Ok((poll, notes))
    }

    /// Asks for what costs more to know: which namespaces there are, their half-open requests and
    /// counters, and who owns the listeners.
    ///
    /// # Errors
    ///
    /// When `/proc` is not there.
    pub fn survey(&mut self) -> anyhow::Result<Vec<String>> {
        let mut notes = Vec::new();
        let found = reachable()?;
        if found.unreadable > 0 {
            let count = found.unreadable;
            notes.push(format!("network namespaces of {count} processes are not visible"));
        }
        self.names = found.names();
        self.namespaces = found.namespaces;
        self.look(true, &mut notes);
        self.count();
        self.name_owners(&mut notes)?;
        self.folded += fold(&mut self.closed, MOST_CLOSED);
        self.surveyed = true;
        Ok(notes)
    }

    /// Everything that is known now, if anything has changed since the last call.
    #[must_use]
    pub fn watch(&mut self) -> Option<Snapshot> {
        let changed = self.look(false, &mut Vec::new()) || self.surveyed;
        self.surveyed = false;
        changed.then(|| self.snapshot())
    }

    fn snapshot(&self) -> Snapshot {
        let open = self.open.values().map(|seen| (seen.listener.clone(), seen.totals));
        let mut listeners: Vec<_> = self.closed.iter().cloned().chain(open).collect();
        listeners[self.closed.len()..].sort_unstable_by_key(|(listener, _)| listener.id);
        Snapshot {
            time_ns: self.looked_ns,
            tier: TIER,
            listeners,
            namespaces: self.names.clone(),
            counters: self.counters.clone(),
            folded: self.folded,
            ..Snapshot::default()
        }
    }

    /// How many listeners there are.
    #[must_use]
    pub fn count_listeners(&self) -> usize {
        self.open.len()
    }

    /// Looks at the queues of all listeners; whether anything is otherwise than at the last look.
    fn look(&mut self, half_open: bool, notes: &mut Vec<String>) -> bool {
        let now = monotonic_ns();
        let mut changed = false;
        let mut unread = HashSet::new();
        for namespace in &self.namespaces {
            let looked = look_into(namespace, half_open);
            match looked {
                Ok(Some(look)) => {
                    for number in 0..look.listeners.len() {
                        let (open, last_id) = (&mut self.open, &mut self.last_id);
                        changed |= see(open, last_id, now, &look, number);
                    }
                }
                // Gone, and its listeners with it.
                Ok(None) => {}
                Err(note) => {
                    unread.insert(namespace.inode as u32);
                    notes.push(format!("namespace {}: {note}", namespace.inode));
                }
            }
        }
        let gone = |seen: &mut Seen| seen.look_ns != now && !unread.contains(&seen.listener.netns);
        for (_, mut seen) in self.open.extract_if(|_, seen| gone(seen)) {
            changed = true;
            seen.listener.closed = true;
            (seen.totals.waiting, seen.totals.half_open) = (0, 0);
            self.closed.push((seen.listener, seen.totals));
        }
        self.looked_ns = now;
        changed
    }

    /// Reads by how much the kernel raised its counters.
    fn count(&mut self) {
        let first = self.looked_ns == 0 || self.baselines.is_empty();
        let read = |namespace: &Namespace| {
            let counters = namespace.run(|| Counters::read().ok()).ok()??;
            Some((namespace.inode, counters))
        };
        let now: BTreeMap<_, _> = self.namespaces.iter().filter_map(read).collect();
        // The inode of a namespace that is gone is given to a later one.
        self.baselines.retain(|inode, _| now.contains_key(inode));
        let mut all = Vec::with_capacity(now.len());
        for (inode, counters) in now {
            // The counters of a namespace that is new began at zero.
            let new = || if first { counters.clone() } else { Counters::default() };
            let baseline = self.baselines.entry(inode).or_insert_with(new);
            let moved = counters.since(baseline);
            let lines =
                Balance::new(inode as u32, &Totals::default(), |name| moved.get(name)).lines;
            let counters = lines.into_iter().map(|line| (line.counter, line.kernel)).collect();
            all.push(NamespaceCounters { netns: inode as u32, counters });
        }
        self.counters = all;
    }

    /// Finds the processes that hold the listeners.
    fn name_owners(&mut self, notes: &mut Vec<String>) -> anyhow::Result<()> {
        let inodes: HashSet<_> = self.open.values().map(|seen| seen.inode).collect();
        let owners = Owners::scan(&inodes)?;
        let mut unseen = 0;
        for seen in self.open.values_mut() {
            let holders = owners.of(seen.inode).iter();
            seen.listener.owners = holders.map(|owner| owner.process.clone()).collect();
            unseen += usize::from(seen.listener.owners.is_empty() && seen.inode != 0);
        }
        if unseen > 0 && owners.unreadable > 0 {
            notes.push(format!("owners of {unseen} listeners are not visible"));
        }
        Ok(())
    }
}

/// What there is in a namespace; nothing if it is gone.
fn look_into(namespace: &Namespace, half_open: bool) -> Result<Option<Look>, String> {
    let work = || -> Result<Look, netlink::Error> {
        let listeners = netlink::listeners()?;
        // The kernel walks its whole table of connections for it: not at each look.
        let queues = half_open.then(|| SynQueues::read(&listeners)).transpose()?;
        let half_open = queues.map(|queues| shares(&listeners, &queues));
        Ok(Look { netns: namespace.inode as u32, listeners, half_open })
    };
    match namespace.run(work) {
        Ok(Ok(look)) => Ok(Some(look)),
        Err(EnterError::Vanished) => Ok(None),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The half-open requests of each listener. The kernel does not tell which member of a `SO_REUSEPORT`
/// group has which: each gets an equal part, and the first ones what remains.
fn shares(listeners: &[netlink::Listener], queues: &SynQueues) -> Vec<u64> {
    let mut members = HashMap::new();
    let share = |one: &netlink::Listener| {
        let member = members.entry((one.address, one.port, one.device, one.v6only)).or_insert(0);
        let queue = queues.of(one);
        let share = queue.count / queue.shared_by.max(1);
        let more = u32::from(*member < queue.count % queue.shared_by.max(1));
        *member += 1;
        u64::from(share + more)
    };
    listeners.iter().map(share).collect()
}

/// Takes notice of a listener; whether anything is otherwise than before.
fn see(
    open: &mut HashMap<u64, Seen>,
    last_id: &mut u32,
    now: u64,
    look: &Look,
    number: usize,
) -> bool {
    let one = &look.listeners[number];
    let mut new = false;
    let seen = open.entry(one.cookie).or_insert_with(|| {
        new = true;
        *last_id += 1;
        let listener = listed_one(*last_id, look.netns, one, Vec::new());
        Seen { listener, totals: Totals::default(), inode: one.inode, look_ns: now }
    });
    let before = seen.totals;
    let was_full = before.waiting > seen.listener.limit.into();
    let totals = &mut seen.totals;
    totals.waiting = one.depth.into();
    totals.drops = one.drops.map(u64::from);
    if let Some(half_open) = &look.half_open {
        totals.half_open = half_open[number];
    }
    if was_full && one.full() {
        totals.accept_full_ns += now.saturating_sub(seen.look_ns);
    }
    (totals.recent_accept_peak, totals.recent_syn_peak) = (one.depth, totals.half_open as u32);
    totals.accept_peak = totals.accept_peak.max(one.depth);
    totals.syn_peak = totals.syn_peak.max(totals.recent_syn_peak);
    let changed = new || before != seen.totals || seen.listener.limit != one.limit;
    (seen.listener.limit, seen.inode, seen.look_ns) = (one.limit, one.inode, now);
    changed
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::netlink::Request;

    fn one(cookie: u64, depth: u32, limit: u32) -> netlink::Listener {
        netlink::Listener {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 80,
            device: None,
            v6only: None,
            depth,
            limit,
            inode: 1,
            uid: 0,
            cookie,
            drops: Some(3),
            cgroup_id: None,
        }
    }

    /// What a look at listeners changes.
    fn look(poll: &mut Poll, now: u64, listeners: Vec<netlink::Listener>) -> Vec<bool> {
        let look = Look { netns: 7, listeners, half_open: None };
        let numbers = 0..look.listeners.len();
        numbers.map(|at| see(&mut poll.open, &mut poll.last_id, now, &look, at)).collect()
    }

    #[test]
    fn a_queue_is_full_from_one_look_to_the_next_if_both_find_it_so() {
        let mut poll = Poll::default();
        assert_eq!(look(&mut poll, 100, vec![one(1, 6, 5), one(2, 0, 5)]), [true, true]);
        assert_eq!(look(&mut poll, 150, vec![one(1, 6, 5), one(2, 0, 5)]), [true, false]);
        assert_eq!(look(&mut poll, 200, vec![one(1, 2, 5), one(2, 0, 9)]), [true, true]);
        let totals = |poll: &Poll| poll.open[&1].totals;
        let Totals { accept_full_ns, accept_peak, waiting, drops, .. } = totals(&poll);
        assert_eq!((accept_full_ns, accept_peak, waiting, drops), (50, 6, 2, Some(3)));
        assert_eq!(poll.open[&2].listener.limit, 9);
        assert_eq!([1, 2].map(|cookie| poll.open[&cookie].listener.id), [1, 2]);
    }

    #[test]
    fn a_group_s_half_open_requests_are_shared_out() {
        let group = vec![one(1, 0, 5), one(2, 0, 5), one(3, 0, 5)];
        let request = Request { address: IpAddr::from([127, 0, 0, 1]), port: 80, device: 0 };
        let queues = SynQueues::attribute(&group, [request; 5]);
        assert_eq!(shares(&group, &queues), [2, 2, 1]);
    }
}
