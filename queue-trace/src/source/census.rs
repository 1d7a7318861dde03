//! All listeners at one moment, those without any event too, and what is to be seen around them.

use std::collections::{HashMap, HashSet};

use super::join::{Met, join, listed_one};
use crate::model::{Listener, Totals};
use crate::netlink::{self, SynQueues};
use crate::procfs::{EnterError, Namespace, Owners, Sample, Sysctls, reachable};

/// More processes than this are not looked at: each takes a dozen reads and more.
const PROCESSES: usize = 1024;

/// What was found in one network namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// The namespace.
    pub namespace: Namespace,
    /// Whether it is the one this program runs in.
    pub own: bool,
    /// The listeners to show.
    pub listeners: Vec<netlink::Listener>,
    /// Their half-open requests, if they were asked for.
    pub syn_queues: SynQueues,
    /// Names of the devices that listeners are bound to, by index.
    pub devices: HashMap<u32, String>,
    /// Its settings.
    pub sysctls: Sysctls,
}

/// Why a namespace could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It was not entered.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The kernel did not answer.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
}

impl Contents {
    /// Looks into a namespace for the listeners on these ports, on any if there are none.
    ///
    /// # Errors
    ///
    /// When it cannot be entered, or the kernel does not answer.
    pub fn read(
        namespace: &Namespace,
        own: bool,
        ports: &[u16],
        half_open: bool,
    ) -> Result<Self, LookError> {
        let shown =
            |listener: &netlink::Listener| ports.is_empty() || ports.contains(&listener.port);
        let work = || -> Result<Self, netlink::Error> {
            let mut listeners = netlink::listeners()?;
            // The kernel walks its whole connection table for the half-open requests: not for nothing.
            let syn_queues = if half_open && listeners.iter().any(shown) {
                SynQueues::read(&listeners)?
            } else {
                SynQueues::default()
            };
            listeners.retain(shown);
            listeners.sort_by_key(|listener| (listener.port, listener.address, listener.cookie));
            Ok(Self {
                namespace: namespace.clone(),
                own,
                syn_queues,
                devices: device_names(&listeners),
                listeners,
                sysctls: Sysctls::read(),
            })
        };
        Ok(namespace.run(work)??)
    }
}

/// Names of the devices that `listeners` are bound to; a device may be gone.
fn device_names(listeners: &[netlink::Listener]) -> HashMap<u32, String> {
    listeners
        .iter()
        .filter_map(|listener| listener.device)
        .filter_map(|index| Some((index, netlink::device_name(index)?)))
        .collect()
}

/// What `sock_diag` and `/proc` show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Census {
    /// The namespaces, our own first.
    pub namespaces: Vec<Contents>,
    /// Who holds the listeners.
    pub owners: Owners,
    /// What these processes do, by their ids, where somebody looked.
    pub processes: HashMap<u32, Sample>,
}

impl Census {
    /// Asks every namespace within reach; what cannot be seen is left out.
    #[must_use]
    pub fn take(half_open: bool) -> Self {
        let mut census = Self::default();
        let own = Namespace::own().ok().map(|own| own.inode);
        for namespace in reachable().map(|found| found.namespaces).unwrap_or_default() {
            let is_own = Some(namespace.inode) == own;
            census.namespaces.extend(Contents::read(&namespace, is_own, &[], half_open));
        }
        census.owners = Owners::scan(&census.inodes()).unwrap_or_default();
        let looks = census.owners.pids().into_iter().take(PROCESSES);
        census.processes = looks.filter_map(|pid| Some((pid, Sample::read(pid)?))).collect();
        census
    }

    /// As it is recorded.
    #[cfg(feature = "record")]
    pub(crate) fn message(&self) -> crate::recording::census::Census {
        super::recorded::message(self)
    }

    /// The inodes of all listeners that a process holds.
    #[must_use]
    pub fn inodes(&self) -> HashSet<u32> {
        let listeners = self.namespaces.iter().flat_map(|contents| &contents.listeners);
        // A socket that no process holds any more has no inode.
        listeners.map(|listener| listener.inode).filter(|inode| *inode != 0).collect()
    }

    /// Inode of our own network namespace, if it is known.
    #[must_use]
    pub fn own_netns(&self) -> Option<u32> {
        let own = self.namespaces.iter().find(|contents| contents.own)?;
        Some(own.namespace.inode as u32)
    }

    /// The settings of a namespace, by its inode; all absent where they could not be read.
    #[must_use]
    pub fn settings_of(&self, netns: u32) -> Sysctls {
        let of = |contents: &&Contents| contents.namespace.inode as u32 == netns;
        self.namespaces.iter().find(of).map(|contents| contents.sysctls).unwrap_or_default()
    }

    /// The settings of all namespaces, by their inodes.
    #[must_use]
    pub fn settings(&self) -> HashMap<u32, Sysctls> {
        let of = |contents: &Contents| (contents.namespace.inode as u32, contents.sysctls);
        self.namespaces.iter().map(of).collect()
    }

    /// Adds to the listeners at which something happened those at which nothing did. All that is known of these
    /// is who they are, and how many connections wait.
    pub fn complete(&self, listeners: &mut Vec<(Listener, Totals)>) {
        let of = |contents: &Contents| {
            let netns = contents.namespace.inode as u32;
            contents.listeners.iter().map(move |listener| (netns, listener.clone())).collect()
        };
        let list: Vec<_> = self.namespaces.iter().flat_map(of as fn(&_) -> Vec<_>).collect();
        let met: Vec<_> = listeners
            .iter()
            .map(|(listener, _)| Met { listener, listed: listener.id != 0 && !listener.closed })
            .collect();
        let idle = join(&list, &met).idle;
        let last = listeners.iter().map(|(known, _)| known.id).max().unwrap_or(0);
        for (place, id) in idle.into_iter().zip(last + 1..) {
            let (netns, found) = &list[place];
            let owners = self.owners.of(found.inode).iter().map(|owner| owner.process.clone());
            let totals = Totals {
                waiting: found.depth.into(),
                accept_peak: found.depth,
                recent_accept_peak: found.depth,
                ..Totals::default()
            };
            listeners.push((listed_one(id, *netns, found, owners.collect()), totals));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_without_events_is_added_once() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let census = Census::take(false);
        let mut listeners = Vec::new();
        census.complete(&mut listeners);
        census.complete(&mut listeners);
        let found: Vec<_> = listeners.iter().filter(|(known, _)| known.port == port).collect();
        let [(listener, totals)] = found[..] else { panic!("{found:?}") };
        assert!(listener.id > 0 && totals.is_empty());
        assert_eq!(listener.owners[0].pid, std::process::id());
        assert!(census.processes.contains_key(&std::process::id()));
        assert!(census.settings_of(listener.netns).somaxconn.is_some());
        assert_eq!(census.own_netns(), Some(listener.netns));
        let mut ids: Vec<_> = listeners.iter().map(|(known, _)| known.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), listeners.len());
    }
}
