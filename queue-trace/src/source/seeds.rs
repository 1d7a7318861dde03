//! The listeners that were there before us, with their owners.

use std::collections::{HashMap, HashSet};

use queue_trace_common::ListenerInfo;

use crate::model::{Listener, Process};
use crate::netlink;
use crate::procfs::{Namespace, Owners, reachable};

/// What `sock_diag` and `/proc` know of listeners, by namespace.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// The namespaces that could be entered.
    pub namespaces: Vec<Namespace>,
    listeners: Vec<(u32, netlink::Listener)>,
    /// Which of the listeners has a cookie: each is looked for once, and there may be thousands.
    by_cookie: HashMap<u64, usize>,
    owners: Owners,
    /// Whether every namespace could be entered.
    pub complete: bool,
    /// What could not be seen, one line each.
    pub notes: Vec<String>,
}

impl Seeds {
    /// Asks every namespace within reach. Asking makes the kernel give each listener a cookie, which
    /// the kernel side then reads: so a listener that it meets later is matched without doubt.
    pub(super) fn gather() -> Self {
        let mut seeds = Self::default();
        let found = match reachable() {
            Ok(found) => found,
            Err(error) => {
                seeds.notes.push(format!("listeners that were there before are unnamed: {error}"));
                return seeds;
            }
        };
        seeds.complete = found.unreadable == 0;
        for namespace in found.namespaces {
            match namespace.run(netlink::listeners) {
                Ok(Ok(listeners)) => {
                    let netns = namespace.inode as u32;
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

    fn processes(&self, inode: u32) -> Vec<Process> {
        let owner =
            |owner: &crate::procfs::Owner| Process { pid: owner.pid, comm: owner.comm.clone() };
        self.owners.of(inode).iter().map(owner).collect()
    }
}
