//! One JSON object a line, one line a listener.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::{device, rows};
use crate::netlink::Listener;
use crate::procfs::{Owner, Sysctls};
use crate::source::{Census, Contents};

/// The fields of a line. An interface: names and meanings are kept.
#[derive(Serialize)]
struct Line<'a> {
    /// The bound address, without brackets; `0.0.0.0` and `::` are the wildcards.
    address: IpAddr,
    /// The bound port.
    port: u16,
    /// Name of the network device it is bound to (its index if the device is gone), or null.
    device: Option<String>,
    /// Whether an IPv6 listener refuses IPv4; null for IPv4 listeners.
    v6only: Option<bool>,
    /// Inode of the network namespace.
    netns: u64,
    /// Name of the network namespace under `/run/netns`, or null.
    netns_name: Option<&'a str>,
    /// Connections established and not yet accepted.
    accept_queue_depth: u32,
    /// The limit; one more than this fits.
    accept_queue_limit: u32,
    /// Whether the next connection would be refused (depth above the limit).
    accept_queue_full: bool,
    /// Half-open requests of the listener, or of the group if `half_open_shared_by` is above 1.
    half_open: u32,
    /// Listeners that share `half_open`: 1, or the size of the `SO_REUSEPORT` group.
    half_open_shared_by: u32,
    /// `sk_drops`: every packet the listener discarded, not only overflows; null if not reported.
    drops: Option<u32>,
    /// Inode of the socket.
    inode: u32,
    /// User that created the socket.
    uid: u32,
    /// The kernel's cookie of the socket, unique until reboot.
    cookie: u64,
    /// Id of the cgroup the socket was created in, or null.
    cgroup_id: Option<u64>,
    /// Processes that hold it, by pid; empty also when they may not be seen.
    owners: Vec<OwnerFields<'a>>,
    /// Settings of the namespace; null where this kernel has no such setting.
    sysctls: Sysctls,
}

/// The fields of an owner; null what is not so or may not be seen.
#[derive(Serialize)]
struct OwnerFields<'a> {
    /// Process id.
    pid: u32,
    /// Its name.
    comm: &'a str,
    /// The lowest of its file descriptors for the socket.
    fd: u32,
    /// Its program file.
    executable: Option<&'a str>,
    /// Path of its control group.
    cgroup: Option<&'a str>,
    /// Its systemd unit.
    unit: Option<&'a str>,
    /// Its container.
    container: Option<ContainerFields<'a>>,
    /// `uid` of its Kubernetes pod.
    pod: Option<&'a str>,
}

/// The fields of a container.
#[derive(Serialize)]
struct ContainerFields<'a> {
    /// What runs it.
    runtime: &'a str,
    /// Its id.
    id: &'a str,
}

impl<'a> OwnerFields<'a> {
    fn new(Owner { process, fd }: &'a Owner) -> Self {
        let home = process.home.as_ref();
        let container = home.and_then(|home| home.container.as_ref());
        Self {
            pid: process.pid,
            comm: &process.comm,
            fd: *fd,
            executable: process.executable.as_deref(),
            cgroup: home.map(|home| home.cgroup.as_str()),
            unit: home.and_then(|home| home.unit.as_deref()),
            container: container.map(|container| ContainerFields {
                runtime: &container.runtime,
                id: &container.id,
            }),
            pod: home.and_then(|home| home.pod.as_deref()),
        }
    }
}

impl<'a> Line<'a> {
    fn new(contents: &'a Contents, listener: &Listener, owners: &'a [Owner]) -> Self {
        let half_open = contents.syn_queues.of(listener);
        Self {
            address: listener.address,
            port: listener.port,
            device: device(contents, listener),
            v6only: listener.v6only,
            netns: contents.namespace.inode,
            netns_name: contents.namespace.name.as_deref(),
            accept_queue_depth: listener.depth,
            accept_queue_limit: listener.limit,
            accept_queue_full: listener.full(),
            half_open: half_open.count,
            half_open_shared_by: half_open.shared_by,
            drops: listener.drops,
            inode: listener.inode,
            uid: listener.uid,
            cookie: listener.cookie,
            cgroup_id: listener.cgroup_id,
            owners: owners.iter().map(OwnerFields::new).collect(),
            sysctls: contents.sysctls,
        }
    }
}

/// Writes each listener as one line of JSON; nothing when there is none.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_json(report: &Census, out: &mut impl Write) -> io::Result<()> {
    for (contents, listener) in rows(report) {
        let owners = report.owners.of(listener.inode);
        let line = serde_json::to_string(&Line::new(contents, listener, owners))?;
        writeln!(out, "{line}")?;
    }
    Ok(())
}
