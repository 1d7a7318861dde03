//! Descriptions of listeners.

use std::collections::HashMap;
use std::net::IpAddr;

use super::wire;
use crate::model::{Container, Home, Listener, Process};

/// What tells one listener from all others of a run; those that stand for several have the number 0.
type Key = (u32, u32, u64);

/// The listeners that a file describes. A description has a number, and is never changed: a listener that
/// looks different is described anew.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    known: HashMap<Key, (u32, Listener)>,
    next: u32,
    /// Those that are not in the file yet.
    pub(super) fresh: wire::Listeners,
}

impl Dictionary {
    /// The number of a listener's description, which is made if need be.
    pub(super) fn number(&mut self, listener: &Listener) -> u32 {
        let key = (listener.id, listener.netns, listener.netns_cookie);
        if let Some((number, known)) = self.known.get(&key)
            && known == listener
        {
            return *number;
        }
        let number = self.next;
        self.next += 1;
        self.fresh.listeners.push(message(listener));
        self.known.insert(key, (number, listener.clone()));
        number
    }

    /// Forgets all descriptions but these.
    pub(super) fn keep(&mut self, kept: impl Fn(u32) -> bool) {
        self.known.retain(|_, (number, _)| kept(*number));
    }
}

fn message(listener: &Listener) -> wire::Listener {
    let Listener {
        id,
        address,
        port,
        device,
        cookie,
        netns,
        netns_cookie,
        limit,
        asked,
        somaxconn,
        owners,
        closed,
    } = listener;
    wire::Listener {
        id: *id,
        address: octets(*address),
        port: u32::from(*port),
        device: *device,
        cookie: *cookie,
        netns: *netns,
        netns_cookie: *netns_cookie,
        limit: *limit,
        asked: *asked,
        somaxconn: *somaxconn,
        owners: owners.iter().map(process).collect(),
        closed: *closed,
    }
}

pub(crate) fn process(process: &Process) -> wire::Process {
    let Process { pid, comm, executable, home } = process.clone();
    let container = |Container { runtime, id }| wire::Container { runtime, id };
    let home = home.map(|Home { cgroup, unit, container: within, pod }| wire::Home {
        cgroup,
        unit,
        container: within.map(container),
        pod,
    });
    wire::Process { pid, comm, executable, home }
}

/// The listener of a description; nothing if it has no address.
pub(super) fn listener(message: wire::Listener) -> Option<Listener> {
    Some(Listener {
        id: message.id,
        address: address(&message.address)?,
        port: u16::try_from(message.port).ok()?,
        device: message.device,
        cookie: message.cookie,
        netns: message.netns,
        netns_cookie: message.netns_cookie,
        limit: message.limit,
        asked: message.asked,
        somaxconn: message.somaxconn,
        owners: message.owners.into_iter().map(owner).collect(),
        closed: message.closed,
    })
}

pub(crate) fn owner(message: wire::Process) -> Process {
    let container = |wire::Container { runtime, id }| Container { runtime, id };
    let home = message.home.map(|home| Home {
        cgroup: home.cgroup,
        unit: home.unit,
        container: home.container.map(container),
        pod: home.pod,
    });
    Process { pid: message.pid, comm: message.comm, executable: message.executable, home }
}

/// The bytes of an address, 4 or 16.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// An address of 4 or 16 bytes.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
