//! A made-up recording, which has something of everything.

use std::net::SocketAddr;
use std::time::Duration;

use queue_trace_common::{Fault, Outcome, Tally};

use super::super::Header;
use crate::model::{
    Balance, Caller, Container, Home, Listener, Means, NamespaceCounters, NamespaceName, Process,
    ProgramCost, QueueEvent, Snapshot, Totals, Worker,
};

pub(super) fn header() -> Header {
    Header {
        program: "0.1.0".into(),
        host: "host".into(),
        kernel: "6.12.57+deb13-amd64".into(),
        start_ns: 1_000_000_000,
        wall: "2026-11-21T09:00:00.000001Z".parse().unwrap(),
        part: 0,
        hooks: 25,
        means: Means {
            hooks: vec![("tcp_conn_request".into(), false), ("tcp_check_req".into(), true)],
            refusal: Some("no trampolines".into()),
            refused: vec!["tcp_rtx_synack: not there".into()],
            syn_by_mib: true,
            took: [2, 30, 40].map(Duration::from_millis),
            privileges: vec!["no CAP_SYS_PTRACE".into()],
            ..first_means()
        },
        ports: vec![8080],
        events: vec![queue_trace_common::Event::SynRefused],
    }
}

/// What was recorded of the means at first.
pub(super) fn first_means() -> Means {
    Means {
        tier: "fentry".into(),
        listeners: 2,
        losses: vec!["accept() that returns an error".into()],
        uncounted: vec!["TCPMigrateReqFailure".into()],
        notes: vec!["namespace 4026532000: cannot be entered".into()],
        ..Means::default()
    }
}

pub(super) fn listener(id: u32) -> Listener {
    let home = Home {
        cgroup: "/system.slice/nginx.service".into(),
        unit: Some("nginx.service".into()),
        container: Some(Container { runtime: "docker".into(), id: "0123abcd".into() }),
        pod: Some("5759a1ae".into()),
    };
    let executable = Some("/usr/sbin/nginx".into());
    Listener {
        id,
        address: if id == 2 { "2001:db8::1".parse() } else { "127.0.0.1".parse() }.unwrap(),
        port: 8080,
        device: Some(7),
        cookie: 4711,
        netns: 4_026_531_840,
        netns_cookie: 1,
        limit: 5,
        asked: Some(511),
        somaxconn: Some(5),
        owners: vec![Process { pid: 42, comm: "nginx".into(), executable, home: Some(home) }],
        closed: false,
    }
}

/// One event of each outcome in each second; clients of both families, and none.
pub(super) fn events(second: u64) -> Vec<(Listener, QueueEvent)> {
    let event = |(number, outcome): (u64, &Outcome)| {
        let client = match number % 3 {
            0 => None,
            1 => Some("[2001:db8::2]:40002".parse().unwrap()),
            _ => Some(SocketAddr::from(([192, 0, 2, 1], 40_000 + number as u16))),
        };
        let caller = Caller { pid: 42, comm: *b"ng\x1bin\xff\0\0\0\0\0\0\0\0\0\0" };
        let event = QueueEvent {
            // A record of one CPU may come after a later one of another.
            time_ns: second * 1_000_000_000 + (number ^ 1) * 1_500_000,
            outcome: *outcome,
            client,
            accept_depth: 6,
            syn_depth: number as u32,
            limit: 5,
            duration_ns: (number % 2 == 0).then_some(4_220_000_000),
            detail: 0x103,
            process: (number % 5 == 0).then_some(caller),
        };
        (listener(1 + number as u32 % 2), event)
    };
    (0..).zip(Outcome::ALL).map(event).collect()
}

pub(super) fn snapshot(second: u64) -> Snapshot {
    let mut totals = Totals {
        accept_full_ns: second * 1000,
        syn_full_ns: 7,
        oldest_ns: Some(9_000_000_000),
        waiting: 2,
        half_open: 3,
        drops: Some(second),
        accept_peak: 6,
        syn_peak: 2,
        recent_accept_peak: 4,
        recent_syn_peak: 1,
        ..Totals::default()
    };
    for (count, number) in totals.outcomes.iter_mut().zip(0..) {
        *count = second * number;
    }
    totals.tallies[Tally::MigratedHere as usize] = 3;
    (totals.waits.buckets[0], totals.waits.buckets[31], totals.waits.sum_ns) = (1, 2, 1 << 40);
    totals.handshakes.buckets[12] = 90;
    let quiet = Totals { waiting: 1, ..Totals::default() };
    let kernel = |name: &str| (name != "TCPMigrateReqSuccess").then_some(7 + second);
    let program = "tcp_conn_request".to_owned();
    Snapshot {
        time_ns: (second + 1) * 1_000_000_000,
        tier: "fentry",
        listeners: vec![(listener(2), quiet), (listener(1), totals)],
        workers: vec![Worker { listener: 1, pid: 42, comm: "nginx".into(), accepts: second }],
        namespaces: vec![
            NamespaceName {
                inode: 4_026_531_840,
                name: Some("blue".into()),
                own: true,
                resident: Some(Process { pid: 42, comm: "nginx".into(), ..Process::default() }),
            },
            NamespaceName { inode: 4_026_532_000, ..NamespaceName::default() },
        ],
        shed: vec![(Outcome::SynQueued, 12)],
        thinned: vec![(Outcome::SynCookie, 90)],
        contradicted: vec![(Outcome::SynQueueFull, 1)],
        faults: vec![(Fault::SlotsExhausted, 3)],
        missed: 5,
        programs: vec![ProgramCost { program, run_ns: 12_345, runs: 6 }],
        books: vec![Balance::new(4_026_531_840, &totals, kernel), Balance::gone(4_026_532_000)],
        counters: vec![NamespaceCounters {
            netns: 4_026_531_840,
            counters: vec![("ListenOverflows", second)],
        }],
        folded: 1,
    }
}

/// Three seconds; in the last one a listener is gone, and another limit holds at the other.
pub(super) fn seconds() -> Vec<(Vec<(Listener, QueueEvent)>, Snapshot)> {
    let mut seconds: Vec<_> = (1..=3).map(|second| (events(second), snapshot(second))).collect();
    if let Some((events, snapshot)) = seconds.last_mut() {
        snapshot.listeners.remove(0);
        snapshot.listeners.iter_mut().for_each(|(listener, _)| listener.limit = 100);
        events.iter_mut().skip(30).for_each(|(listener, _)| listener.limit = 100);
    }
    seconds
}
