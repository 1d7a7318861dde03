//! The listeners as one JSON document.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use queue_trace_common::{Event, Histogram, below_ns};
use serde::Serialize;

use crate::model::{Listener, Process, Snapshot, Totals};

/// The document. An interface: names and meanings are kept.
#[derive(Serialize)]
struct Document<'a> {
    /// When the counters were read (RFC 3339).
    time: String,
    /// By which means: `fentry`, `kprobe` or `poll`.
    tier: &'static str,
    /// Each listener that is known, closed ones included as long as they are kept.
    listeners: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    /// Number within this run: two listeners on one address differ in it. 0 stands for all listeners for which
    /// no slot was left; address and port mean nothing then.
    listener: u32,
    /// Local address, without brackets.
    address: IpAddr,
    /// Local port.
    port: u16,
    /// Interface index that it is bound to, or null.
    device: Option<u32>,
    /// Inode of its network namespace.
    netns: u32,
    /// The socket's cookie, or null where the kernel has given none yet.
    cookie: Option<u64>,
    /// Whether it has closed.
    closed: bool,
    /// What the kernel made of the backlog; both queues are full above it.
    limit: u32,
    /// What the program asked `listen()` for, or null if that was not seen.
    asked_backlog: Option<u32>,
    /// `net.core.somaxconn` when `listen()` was called, or null if that was not seen.
    somaxconn: Option<u32>,
    /// The accept queue.
    accept_queue: Queue,
    /// The SYN queue.
    syn_queue: Queue,
    /// For how long the connection has waited that has waited longest, seconds; null when none waits.
    oldest_wait_seconds: Option<f64>,
    /// Times in the accept queue, of those that were accepted.
    wait: Times,
    /// From the first SYN-ACK to the final ACK.
    handshake: Times,
    /// How often each event happened that did.
    events: BTreeMap<&'static str, u64>,
    /// The same by reason, for those that have reasons.
    reasons: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// `sk_drops`: every packet that it discarded; null where it was not asked for.
    drops: Option<u64>,
    /// The processes that hold it.
    owners: Vec<Owner<'a>>,
    /// How many connections each process accepted, where several do.
    workers: Vec<Worker<'a>>,
}

#[derive(Serialize)]
struct Queue {
    /// Connections in it now.
    depth: u64,
    /// At most since counting began.
    peak: u32,
    /// For how long it has been full, seconds.
    full_seconds: f64,
}

#[derive(Serialize)]
struct Times {
    /// How many there are.
    count: u64,
    /// Their sum, seconds.
    sum_seconds: f64,
    /// Half of them were shorter than this; a power of two of microseconds, as seconds. Null if there are
    /// none, or it was longer than 18 minutes.
    p50_below_seconds: Option<f64>,
    /// The same of 99 of 100.
    p99_below_seconds: Option<f64>,
}

#[derive(Serialize)]
struct Owner<'a> {
    /// Process id.
    pid: u32,
    /// Its name.
    comm: &'a str,
    /// Its program file, or null where that may not be read.
    executable: Option<&'a str>,
    /// Path of its control group, or null.
    cgroup: Option<&'a str>,
    /// Its systemd unit, or null.
    unit: Option<&'a str>,
    /// What runs its container, or null.
    runtime: Option<&'a str>,
    /// Id of its container, or null.
    container: Option<&'a str>,
    /// `uid` of its Kubernetes pod, or null.
    pod: Option<&'a str>,
}

#[derive(Serialize)]
struct Worker<'a> {
    /// Process id.
    pid: u32,
    /// Its name.
    comm: &'a str,
    /// Connections that it accepted.
    accepts: u64,
}

/// Writes the listeners of a snapshot.
///
/// # Errors
///
/// When something cannot be written as JSON.
pub fn listeners(snapshot: &Snapshot, at: Timestamp) -> serde_json::Result<String> {
    let entries = snapshot.listeners.iter();
    serde_json::to_string(&Document {
        time: at.to_string(),
        tier: snapshot.tier,
        listeners: entries.map(|(listener, totals)| entry(snapshot, listener, totals)).collect(),
    })
}

fn entry<'a>(snapshot: &'a Snapshot, listener: &'a Listener, totals: &Totals) -> Entry<'a> {
    let age = |since| snapshot.time_ns.saturating_sub(since) as f64 / 1e9;
    let (events, reasons) = counts(totals);
    Entry {
        listener: listener.id,
        address: listener.address,
        port: listener.port,
        device: listener.device,
        netns: listener.netns,
        cookie: Some(listener.cookie).filter(|cookie| *cookie != 0),
        closed: listener.closed,
        limit: listener.limit,
        asked_backlog: listener.asked,
        somaxconn: listener.somaxconn,
        accept_queue: queue(totals.waiting, totals.accept_peak, totals.accept_full_ns),
        syn_queue: queue(totals.half_open, totals.syn_peak, totals.syn_full_ns),
        oldest_wait_seconds: totals.oldest_ns.map(age),
        wait: times(&totals.waits),
        handshake: times(&totals.handshakes),
        events,
        reasons,
        drops: totals.drops,
        owners: listener.owners.iter().map(owner).collect(),
        workers: workers(snapshot, listener.id),
    }
}

fn queue(depth: u64, peak: u32, full_ns: u64) -> Queue {
    Queue { depth, peak, full_seconds: full_ns as f64 / 1e9 }
}

fn times(times: &Histogram) -> Times {
    let below = |quantile| Some(below_ns(times.quantile(quantile)?)? as f64 / 1e9);
    Times {
        count: times.count(),
        sum_seconds: times.sum_ns as f64 / 1e9,
        p50_below_seconds: below(0.5),
        p99_below_seconds: below(0.99),
    }
}

type Counts = BTreeMap<&'static str, u64>;

fn counts(totals: &Totals) -> (Counts, BTreeMap<&'static str, Counts>) {
    let (mut events, mut reasons) = (Counts::new(), BTreeMap::<_, Counts>::new());
    for event in Event::ALL {
        for (outcome, count) in totals.by_reason(event) {
            *events.entry(event.name()).or_default() += count;
            if let Some(reason) = outcome.reason() {
                reasons.entry(event.name()).or_default().insert(reason, count);
            }
        }
    }
    (events, reasons)
}

fn owner(process: &Process) -> Owner<'_> {
    let home = process.home.as_ref();
    let container = home.and_then(|home| home.container.as_ref());
    Owner {
        pid: process.pid,
        comm: &process.comm,
        executable: process.executable.as_deref(),
        cgroup: home.map(|home| home.cgroup.as_str()),
        unit: home.and_then(|home| home.unit.as_deref()),
        runtime: container.map(|container| container.runtime.as_str()),
        container: container.map(|container| container.id.as_str()),
        pod: home.and_then(|home| home.pod.as_deref()),
    }
}

fn workers(snapshot: &Snapshot, listener: u32) -> Vec<Worker<'_>> {
    let of = snapshot.workers.iter().filter(|worker| worker.listener == listener);
    of.map(|worker| Worker { pid: worker.pid, comm: &worker.comm, accepts: worker.accepts })
        .collect()
}
