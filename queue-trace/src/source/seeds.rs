//! The listeners that were there before us, with their owners.

use std::collections::{HashMap, HashSet};

use queue_trace_common::ListenerInfo;

use super::monotonic_ns;
use crate::model::{GroupKey, Listener, NamespaceName, Process, Totals};
use crate::netlink;
use crate::procfs::{Namespace, Owners, Sysctls, reachable};

/// What `sock_diag` and `/proc` know of listeners, by namespace.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// The namespaces that could be entered.
    pub namespaces: Vec<Namespace>,
    /// The listeners, each with the inode of its namespace.
    pub listeners: Vec<(u32, netlink::Listener)>,
    /// Which of the listeners has a cookie: each is looked for once, and there may be thousands.
    by_cookie: HashMap<u64, usize>,
    owners: Owners,
    /// The settings of these namespaces, by their inodes.
    pub settings: HashMap<u32, Sysctls>,
    /// What users know the namespaces by, also those that could not be entered.
    pub names: Vec<NamespaceName>,
    /// Whether every namespace could be entered.
    pub complete: bool,
    /// What could not be seen, one line each.
    pub notes: Vec<String>,
    /// When they were asked, on the monotonic clock: what is younger may not be there.
    pub at_ns: u64,
}

impl Seeds {
    /// Asks every namespace within reach. Asking makes the kernel give each listener a cookie, which
    /// the kernel side then reads: so a listener that it meets later is matched without doubt.
    pub(super) fn gather() -> Self {
        let mut seeds = Self { at_ns: monotonic_ns(), ..Self::default() };
        let found = match reachable() {
            Ok(found) => found,
            Err(error) => {
                seeds.notes.push(format!("listeners that were there before are unnamed: {error}"));
                return seeds;
            }
        };
        seeds.complete = found.unreadable == 0;
        seeds.names = found.names();
        for namespace in found.namespaces {
            match namespace.run(|| netlink::listeners().map(|all| (all, Sysctls::read()))) {
                Ok(Ok((listeners, settings))) => {
                    let netns = namespace.inode as u32;
                    seeds.settings.insert(netns, settings);
                    seeds.listeners.extend(listeners.into_iter().map(|listener| (netns, listener)));
                    seeds.namespaces.push(namespace);
                }
                // Gone since it was listed: so are its listeners.
                Err(crate::procfs::EnterError::Vanished) => {}
                Ok(Err(error)) => {
                    seeds.notes.push(format!("namespace {}: {error}", namespace.inode));
                    seeds.namespaces.push(namespace);
                }
                Err(error) => {
                    seeds.complete = false;
                    seeds.notes.push(format!("namespace {}: {error}", namespace.inode));
                }
            }
        }
        let cookies = seeds.listeners.iter().map(|(_, listener)| listener.cookie);
        seeds.by_cookie = cookies.zip(0..).collect();
        let inodes: HashSet<_> =
            seeds.listeners.iter().map(|(_, listener)| listener.inode).collect();
        seeds.owners = Owners::scan(&inodes).unwrap_or_default();
        seeds
    }

    /// How many listeners there are now, without who they are.
    pub(super) fn count_now() -> usize {
        let namespaces = reachable().map(|found| found.namespaces).unwrap_or_default();
        let listeners =
            namespaces.iter().filter_map(|namespace| namespace.run(netlink::listeners).ok());
        listeners.flatten().map(|listeners| listeners.len()).sum()
    }

    /// The processes that hold any of them.
    pub(super) fn processes_of_all(&self) -> HashSet<u32> {
        self.owners.pids()
    }

    /// How many listeners there were.
    pub(super) fn count(&self) -> usize {
        self.listeners.len()
    }

    /// The owners of a listener that the kernel side met.
    pub(super) fn owners(&self, info: &ListenerInfo, listener: &Listener) -> Vec<Process> {
        let same = |(netns, seed): &&(u32, netlink::Listener)| {
            *netns == info.netns && seed.port == listener.port && seed.address == listener.address
        };
        let seed = match self.by_cookie.get(&info.cookie) {
            Some(index) => self.listeners.get(*index),
            None if info.cookie == 0 => self.listeners.iter().find(same),
            None => None,
        };
        seed.map(|(_, seed)| self.processes(seed.inode)).unwrap_or_default()
    }

    /// Whether a listener has this cookie.
    pub(super) fn knows(&self, cookie: u64) -> bool {
        self.by_cookie.contains_key(&cookie)
    }

    /// The listeners that are in a group with one of these but not among them, because nothing has happened
    /// there: without them a group would look more even than it is. `number` is asked for their numbers.
    pub(super) fn silent(
        &self,
        known: &[(Listener, Totals)],
        mut number: impl FnMut(u64) -> u32,
    ) -> Vec<Listener> {
        let open = known.iter().filter(|(listener, _)| listener.id != 0 && !listener.closed);
        let groups: HashMap<GroupKey, &Listener> =
            open.map(|(listener, _)| (listener.group(), listener)).collect();
        let cookies: HashSet<_> = known.iter().map(|(listener, _)| listener.cookie).collect();
        let silent = self.listeners.iter().filter_map(|(netns, seed)| {
            let member = groups.get(&(*netns, seed.address, seed.port, seed.device))?;
            let owners = || self.processes(seed.inode);
            (!cookies.contains(&seed.cookie)).then(|| Listener {
                id: number(seed.cookie),
                cookie: seed.cookie,
                limit: seed.limit,
                asked: None,
                somaxconn: None,
                owners: owners(),
                ..(*member).clone()
            })
        });
        silent.collect()
    }

    /// The processes that hold a socket.
    pub(super) fn processes(&self, inode: u32) -> Vec<Process> {
        self.owners.of(inode).iter().map(|owner| owner.process.clone()).collect()
    }
}
