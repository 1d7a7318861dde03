//! What a recorded census says, and how one is recorded.

use std::collections::HashMap;

use super::census::{Census, Contents};
use crate::netlink::{self, HalfOpen, SynQueues};
use crate::procfs::{Namespace, Owner, Owners, Quota, Sample, Sysctls};
use crate::recording::census;
use crate::recording::listeners::{address, octets, owner, process};

/// The message of a census.
pub(super) fn message(census: &Census) -> census::Census {
    let mut owners: Vec<_> = census.owners.all().collect();
    owners.sort_by_key(|(inode, owner)| (*inode, owner.process.pid));
    let mut processes: Vec<_> = census.processes.values().collect();
    processes.sort_by_key(|sample| sample.pid);
    census::Census {
        namespaces: census.namespaces.iter().map(contents).collect(),
        owners: owners.into_iter().map(holder).collect(),
        processes: processes.into_iter().map(sample).collect(),
    }
}

fn contents(contents: &Contents) -> census::Contents {
    let listed = |one: &netlink::Listener| listed(one, contents.syn_queues.of(one));
    let device =
        |(index, name): (&u32, &String)| census::Device { index: *index, name: name.clone() };
    let setting = |(name, value): (&'static str, Option<i64>)| {
        Some(census::Setting { name: name.to_owned(), value: value? })
    };
    census::Contents {
        inode: contents.namespace.inode,
        name: contents.namespace.name.clone(),
        own: contents.own,
        listeners: contents.listeners.iter().map(listed).collect(),
        unattributed: contents.syn_queues.unattributed,
        devices: contents.devices.iter().map(device).collect(),
        settings: contents.sysctls.entries().into_iter().filter_map(setting).collect(),
    }
}

fn listed(listener: &netlink::Listener, half_open: HalfOpen) -> census::Listed {
    let netlink::Listener { address, port, device, v6only, depth, limit, .. } = *listener;
    let netlink::Listener { inode, uid, cookie, drops, cgroup_id, .. } = *listener;
    census::Listed {
        address: octets(address),
        port: port.into(),
        device,
        v6only,
        depth,
        limit,
        inode,
        uid,
        cookie,
        drops,
        cgroup_id,
        half_open: half_open.count,
        shared_by: half_open.shared_by,
    }
}

fn holder((inode, owner): (u32, &Owner)) -> census::Holder {
    census::Holder { inode, process: Some(process(&owner.process)), fd: owner.fd }
}

fn sample(sample: &Sample) -> census::Look {
    let quota = sample.quota.clone().unwrap_or_default();
    census::Look {
        pid: sample.pid,
        started: sample.started,
        state: sample.state.into(),
        awaiting: sample.awaiting,
        threads: sample.threads,
        voluntary: sample.voluntary,
        involuntary: sample.involuntary,
        ran_ns: sample.ran_ns,
        delayed_ns: sample.delayed_ns,
        files: sample.files.map(|(open, _)| open),
        file_limit: sample.files.map_or(0, |(_, limit)| limit),
        throttled_ns: sample.throttled_ns,
        pressure_ns: sample.pressure_ns,
        group: sample.quota.as_ref().map(|quota| quota.folder.clone()),
        quota_us: quota.quota_us,
        period_us: quota.period_us,
    }
}

/// The census of a message; what cannot be is left out.
pub(crate) fn read(message: census::Census) -> Census {
    let mut owners: HashMap<u32, Vec<Owner>> = HashMap::new();
    for census::Holder { inode, process, fd } in message.owners {
        let process = process.map(owner).unwrap_or_default();
        owners.entry(inode).or_default().push(Owner { process, fd });
    }
    let processes =
        message.processes.into_iter().map(|message| (message.pid, read_sample(message)));
    Census {
        namespaces: message.namespaces.into_iter().map(read_contents).collect(),
        owners: Owners::known(owners),
        processes: processes.collect(),
    }
}

fn read_contents(message: census::Contents) -> Contents {
    let listed: Vec<_> = message.listeners.iter().filter_map(read_listed).collect();
    let setting = |census::Setting { name, value }: census::Setting| (name, value);
    Contents {
        namespace: Namespace::elsewhere(message.inode, message.name),
        own: message.own,
        syn_queues: SynQueues::known(&listed, message.unattributed),
        listeners: listed.into_iter().map(|(listener, _)| listener).collect(),
        devices: message.devices.into_iter().map(|device| (device.index, device.name)).collect(),
        sysctls: Sysctls::known(&message.settings.into_iter().map(setting).collect()),
    }
}

fn read_listed(message: &census::Listed) -> Option<(netlink::Listener, HalfOpen)> {
    let listener = netlink::Listener {
        address: address(&message.address)?,
        port: u16::try_from(message.port).ok()?,
        device: message.device,
        v6only: message.v6only,
        depth: message.depth,
        limit: message.limit,
        inode: message.inode,
        uid: message.uid,
        cookie: message.cookie,
        drops: message.drops,
        cgroup_id: message.cgroup_id,
    };
    let half_open = HalfOpen { count: message.half_open, shared_by: message.shared_by };
    Some((listener, half_open))
}

fn read_sample(message: census::Look) -> Sample {
    let census::Look { quota_us, period_us, file_limit, .. } = message;
    Sample {
        pid: message.pid,
        started: message.started,
        state: char::from_u32(message.state).unwrap_or_default(),
        awaiting: message.awaiting,
        threads: message.threads,
        voluntary: message.voluntary,
        involuntary: message.involuntary,
        ran_ns: message.ran_ns,
        delayed_ns: message.delayed_ns,
        files: message.files.map(|open| (open, file_limit)),
        throttled_ns: message.throttled_ns,
        pressure_ns: message.pressure_ns,
        quota: message.group.map(|folder| Quota { folder, quota_us, period_us }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use prost::Message;

    use super::*;

    /// Of this machine, with something of everything.
    fn taken() -> (TcpListener, Census) {
        let socket = TcpListener::bind("[::1]:0").unwrap();
        let mut census = Census::take(true);
        let own = census.namespaces.iter_mut().find(|contents| contents.own).unwrap();
        own.devices.insert(2, "eth0".into());
        own.syn_queues.unattributed = 3;
        let quota = Quota { folder: "/sys/fs/cgroup/pod".into(), quota_us: 10, period_us: 100 };
        let looked = census.processes.get_mut(&std::process::id()).unwrap();
        (looked.throttled_ns, looked.pressure_ns) = (Some(7), Some(8));
        looked.quota = Some(quota);
        (socket, census)
    }

    /// A namespace that cannot be entered any more.
    fn elsewhere(mut census: Census) -> Census {
        for contents in &mut census.namespaces {
            let name = contents.namespace.name.take();
            contents.namespace = Namespace::elsewhere(contents.namespace.inode, name);
        }
        census.owners.unreadable = 0;
        census
    }

    #[test]
    fn a_census_survives_being_recorded() {
        let (_socket, census) = taken();
        let bytes = message(&census).encode_to_vec();
        let again = read(census::Census::decode(bytes.as_slice()).unwrap());
        assert_eq!(again, elsewhere(census));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Ok(message) = census::Census::decode(bytes.as_slice()) {
                let _ = read(message);
            }
        }
    }
}
