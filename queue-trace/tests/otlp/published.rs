//! A reading to push.

use std::net::SocketAddr;

use jiff::{Span, Timestamp};
use queue_trace::daemon::Published;
use queue_trace::model::{
    Balance, Container, Home, Listener, Process, QueueEvent, Snapshot, Totals,
};
use queue_trace_common::Outcome;

/// The client of every refusal; must stand in no metric.
pub(crate) const CLIENT: &str = "192.0.2.77";

/// A reading of now: two listeners on one address, one of which has closed, and one on another.
pub(crate) fn published() -> Published {
    let at = Timestamp::now();
    let mut totals = Totals {
        waiting: 3,
        half_open: 2,
        accept_peak: 6,
        accept_full_ns: 2_500_000_000,
        oldest_ns: Some(7_000_000_000),
        ..Totals::default()
    };
    for (number, count) in totals.outcomes.iter_mut().enumerate() {
        *count = number as u64 + 1;
    }
    (totals.waits.buckets[0], totals.waits.buckets[11], totals.waits.sum_ns) = (4, 5, 7_500_000);
    totals.waits.buckets[31] = 1;
    let mut closed = Totals::default();
    closed.outcomes[Outcome::SynAcceptQueueFull as usize] = 100;
    closed.waits.buckets[11] = 10;
    let listeners = vec![
        (listener(1, 8080), totals),
        (Listener { closed: true, ..listener(2, 8080) }, closed),
        (listener(3, 9090), Totals::default()),
    ];
    let books = vec![Balance::new(4_026_531_840, &closed, |_| Some(103))];
    let snapshot = Snapshot {
        time_ns: 10_000_000_000,
        tier: "fentry",
        listeners,
        shed: vec![(Outcome::SynQueued, 12)],
        books,
        ..Snapshot::default()
    };
    Published::new(snapshot, at, at - Span::new().hours(1), vec!["a".to_owned()])
}

/// An open listener of nginx in a container.
pub(crate) fn listener(id: u32, port: u16) -> Listener {
    let home = Home {
        cgroup: "/docker/c0ffee".to_owned(),
        unit: None,
        container: Some(Container { runtime: "docker".to_owned(), id: "c0ffee".to_owned() }),
        pod: None,
    };
    let process = Process {
        pid: 42,
        comm: "nginx".to_owned(),
        executable: Some("/usr/sbin/nginx".to_owned()),
        home: Some(home),
    };
    Listener {
        id,
        address: "127.0.0.1".parse().unwrap(),
        port,
        device: None,
        cookie: 0,
        netns: 4_026_531_840,
        netns_cookie: 0,
        limit: 5,
        asked: Some(511),
        somaxconn: Some(5),
        owners: vec![process],
        closed: false,
    }
}

/// A SYN that found the accept queue full, a second before the reading.
pub(crate) fn refusal() -> QueueEvent {
    QueueEvent {
        time_ns: 9_000_000_000,
        outcome: Outcome::SynAcceptQueueFull,
        client: Some(SocketAddr::new(CLIENT.parse().unwrap(), 40_000)),
        accept_depth: 6,
        syn_depth: 1,
        limit: 5,
        duration_ns: None,
        detail: 0,
        process: None,
    }
}
