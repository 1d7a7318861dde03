//! A made-up trace for the tests of outputs.

use std::net::SocketAddr;

use queue_trace_common::{MISSING, Outcome, Tally};

use super::clock::Clock;
use crate::diagnose::{Evidence, Rule, Severity, Value, Verdict};
use crate::model::{
    Balance, Caller, Home, Listener, NamespaceName, Process, QueueEvent, Snapshot, Totals, Worker,
};

pub(super) fn clock(relative: bool) -> Clock {
    Clock::new(1_000_000_000, "2026-11-21T09:00:00Z".parse().unwrap(), relative)
}

pub(super) fn listener() -> Listener {
    let home = Home { unit: Some("nginx.service".into()), ..Home::default() };
    Listener {
        id: 1,
        address: "127.0.0.1".parse().unwrap(),
        port: 8080,
        device: None,
        cookie: 0,
        netns: 4_026_531_840,
        netns_cookie: 0,
        limit: 5,
        asked: Some(511),
        somaxconn: Some(5),
        owners: vec![
            Process { pid: 42, comm: "nginx".into(), home: Some(home), ..Process::default() },
            Process { pid: 43, comm: "nginx".into(), ..Process::default() },
        ],
        closed: false,
    }
}

/// One event of each outcome, an IPv6 client among them.
pub(super) fn events() -> Vec<QueueEvent> {
    let client = |number: usize| match number {
        2 => "[2001:db8::1]:40002".parse().unwrap(),
        n => SocketAddr::from(([192, 0, 2, 1], 40_000 + n as u16)),
    };
    let event = |(number, outcome): (usize, &Outcome)| QueueEvent {
        time_ns: 1_000_000_000 + number as u64 * 1_500_000,
        outcome: *outcome,
        client: Some(client(number)),
        accept_depth: 6,
        syn_depth: 1,
        limit: 5,
        duration_ns: Some(4_220_000_000),
        detail: 0x103,
        process: Some(Caller { pid: 42, comm: *b"ng\x1binx\0\0\0\0\0\0\0\0\0\0" }),
    };
    Outcome::ALL.iter().enumerate().map(event).collect()
}

pub(super) fn snapshot() -> Snapshot {
    let mut totals = Totals { accept_peak: 6, syn_peak: 2, ..Totals::default() };
    // Of 100 handshakes no record was delivered.
    (totals.handshakes.buckets[8], totals.handshakes.buckets[12]) = (90, 10);
    for (number, count) in totals.outcomes.iter_mut().enumerate() {
        *count = number as u64 + 1;
    }
    totals.tallies[Tally::CookieChosen as usize] = 3;
    totals.accept_full_ns = 4_210_000_000;
    totals.waiting = 2;
    totals.oldest_ns = Some(9_000_000_000);
    let second = Listener { id: 2, asked: Some(MISSING - 1), ..listener() };
    let few = Totals { outcomes: [1; Outcome::COUNT], ..Totals::default() };
    let worker = |pid, accepts| Worker { listener: 1, pid, comm: "nginx".into(), accepts };
    let kernel = |name: &str| (name != "TCPMigrateReqSuccess").then_some(7);
    Snapshot {
        time_ns: 12_000_000_000,
        listeners: vec![(listener(), totals), (second, few)],
        workers: vec![worker(43, 70), worker(42, 3)],
        namespaces: vec![NamespaceName {
            inode: 4_026_531_840,
            name: Some("bl\x1bue".into()),
            ..NamespaceName::default()
        }],
        shed: vec![(Outcome::SynQueued, 12)],
        thinned: vec![(Outcome::SynAcceptQueueFull, 4), (Outcome::Established, 20)],
        contradicted: vec![(Outcome::SynQueueFull, 1)],
        faults: vec![(queue_trace_common::Fault::SlotsExhausted, 3)],
        missed: 5,
        books: vec![Balance::new(4_026_531_840, &totals, kernel), Balance::gone(4_026_532_000)],
        ..Snapshot::default()
    }
}

/// A verdict with evidence of every kind.
pub(super) fn verdict() -> Verdict {
    let evidence = |name, value| Evidence { name, value };
    Verdict {
        rule: Rule::SlowAcceptor,
        severity: Severity::Critical,
        story: "connections come faster than they are accepted".to_owned(),
        evidence: vec![
            evidence("refused_syns", Value::Count(6)),
            evidence("full_ns", Value::Time(4_210_000_000)),
            evidence("full_share", Value::Share(0.421)),
            evidence("cause", Value::Words("busy".to_owned())),
        ],
        change: vec!["sysctl -w a=1".to_owned(), "then restart it".to_owned()],
        avoid: "raising the backlog alone",
    }
}
