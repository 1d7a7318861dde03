//! The made-up minute and a half that the screens are of.

use std::collections::HashMap;
use std::net::SocketAddr;

use queue_trace_common::{ListenerInfo, Outcome};

use crate::diagnose::{Diagnosis, Evidence, Rule, Severity, Value, Verdict};
use crate::model::{Listener, Process, QueueEvent, Snapshot, Totals, Worker};
use crate::output::top::{Fed, Origin, State};
use crate::procfs::Sysctls;

pub(super) const SECOND: u64 = 1_000_000_000;
/// The last second of the made-up time.
pub(super) const END: u64 = 90;

fn listener(id: u32, address: &str, limit: u32, owner: (&str, u32)) -> Listener {
    let socket: SocketAddr = address.parse().unwrap();
    let info = ListenerInfo { limit, netns: 4_026_531_840, ..ListenerInfo::default() };
    Listener {
        address: socket.ip(),
        port: socket.port(),
        asked: Some(limit.max(128)),
        somaxconn: Some(limit),
        owners: vec![Process { pid: owner.1, comm: owner.0.into(), ..Process::default() }],
        ..Listener::from_info(id, &info)
    }
}

/// Counts by outcome, depths, and how long accepted ones had waited by bucket.
fn totals(counts: &[(Outcome, u64)], depths: (u64, u64), waits: (usize, u64)) -> Totals {
    let (waiting, half_open) = depths;
    let mut totals = Totals { waiting, half_open, ..Totals::default() };
    for (outcome, count) in counts {
        totals.outcomes[*outcome as usize] = *count;
    }
    totals.waits.buckets[waits.0] = waits.1;
    (totals.recent_accept_peak, totals.recent_syn_peak) = (waiting as u32, half_open as u32);
    totals
}

/// Everything at one second: a busy web server, a small server that stops accepting, a group of which one
/// member had a bad moment, a queue that fills, an idle listener, and one that has closed.
fn snapshot(second: u64) -> Snapshot {
    use Outcome::{Accepted, AckAcceptQueueFull, Established, SynAcceptQueueFull, SynQueued};
    let busy = |factor: u64| 200 * factor + (second % 7) * 3;
    let web: u64 = (0..=second).map(|at| 300 + 20 * (at % 5)).sum();
    let stuck = second.saturating_sub(50);
    let group = if second >= 42 { 60 } else { 0 };
    let mut web = totals(
        &[(SynQueued, web + 4), (Established, web), (Accepted, web - second % 3)],
        (second % 3, 4),
        (7, web),
    );
    web.waits.buckets[11] = second * 9;
    let mut demo = totals(
        &[
            (SynQueued, 2 * second.min(53)),
            (Established, 2 * second.min(53)),
            (Accepted, 2 * second.min(50)),
            (SynAcceptQueueFull, 3 * second.saturating_sub(53)),
            (AckAcceptQueueFull, second.saturating_sub(60)),
        ],
        (stuck.min(3) * 2, stuck.min(2)),
        (14, 2 * second.min(50)),
    );
    demo.oldest_ns = (stuck > 0).then_some(50 * SECOND);
    let first = totals(
        &[(Accepted, busy(second) / 4), (AckAcceptQueueFull, group)],
        (1, 0),
        (9, busy(second) / 4),
    );
    let second_member = totals(&[(Accepted, busy(second) / 12)], (0, 0), (9, busy(second) / 12));
    let filling = totals(&[(Established, second)], (second, 1), (0, 0));
    let mut gone = listener(7, "127.0.0.1:4000", 16, ("old", 77));
    gone.closed = second > 1;
    let shared = Listener { id: 0, limit: 0, owners: Vec::new(), ..gone.clone() };
    let worker = |listener, pid, accepts| Worker { listener, pid, comm: "nginx".into(), accepts };
    Snapshot {
        time_ns: second * SECOND,
        tier: "fentry",
        listeners: vec![
            (listener(1, "0.0.0.0:443", 511, ("nginx", 812)), web),
            (listener(2, "127.0.0.1:8080", 5, ("demo", 143)), demo),
            (listener(3, "[::]:22", 128, ("sshd", 1)), Totals::default()),
            (listener(4, "10.0.0.5:9000", 128, ("php-fpm", 901)), first),
            (listener(5, "10.0.0.5:9000", 128, ("php-fpm", 902)), second_member),
            (listener(6, "[2001:db8::100:200]:65535", 100, ("redis-server", 555)), filling),
            (gone, totals(&[(Accepted, 5)], (0, 0), (0, 0))),
            (shared, totals(&[(Accepted, 5)], (0, 0), (0, 0))),
        ],
        workers: vec![worker(1, 814, 20_000), worker(1, 815, 9_000)],
        ..Snapshot::default()
    }
}

/// Clients that the small server refuses, one of which got in before it stopped for good.
fn records(second: u64) -> Vec<(u32, QueueEvent)> {
    let event = |outcome, port: u64, at_ms: u64| {
        let event = QueueEvent {
            time_ns: second * SECOND - 500_000_000 + at_ms * 1_000_000,
            outcome,
            client: Some(SocketAddr::from(([192, 0, 2, 7], port as u16))),
            accept_depth: 6,
            syn_depth: 1,
            limit: 5,
            duration_ns: None,
            detail: 0,
            process: None,
        };
        (2, event)
    };
    match second {
        54 => vec![event(Outcome::SynAcceptQueueFull, 40_000, 0)],
        57 => vec![event(Outcome::Established, 40_000, 30)],
        60.. => vec![
            event(Outcome::SynAcceptQueueFull, 40_000 + second / 2, 10),
            event(Outcome::AckAcceptQueueFull, 41_000, 20),
        ],
        _ => Vec::new(),
    }
}

/// What is said of the small server once it has stopped, and always of the group's first member.
fn verdicts(second: u64) -> HashMap<u32, Diagnosis> {
    let verdict = |rule, severity, story: &str| Verdict {
        rule,
        severity,
        story: story.into(),
        evidence: Vec::new(),
        change: Vec::new(),
        avoid: "",
    };
    let count = |name, count| Evidence { name, value: Value::Count(count) };
    let story = "the queue is full and nobody accepts: the process waits for a lock";
    let stopped = Verdict {
        evidence: vec![
            count("refused_syns", 3 * second.saturating_sub(53)),
            Evidence { name: "oldest_ns", value: Value::Time(40 * SECOND) },
        ],
        change: vec![
            "look what demo (143) waits for: cat /proc/143/stack".into(),
            "restart it".into(),
        ],
        avoid: "a larger backlog: it only makes more clients wait for nobody",
        ..verdict(Rule::StoppedAcceptor, Severity::Critical, story)
    };
    let clamped = verdict(Rule::BacklogClamped, Severity::Note, "asked for 128, got 5");
    let timers = verdict(Rule::SlowTimers, Severity::Note, "clients waited for timers");
    let said = |listener, main, remarks| (listener, Diagnosis { listener: 0, main, remarks });
    let all = [said(4, timers, vec![]), said(2, stopped, vec![clamped])];
    all.into_iter().filter(|(listener, _)| *listener != 2 || second >= 54).collect()
}

pub(super) fn fed(second: u64) -> Fed {
    let settings = Sysctls { somaxconn: Some(4096), ..Sysctls::default() };
    Fed {
        snapshot: snapshot(second),
        records: records(second),
        verdicts: verdicts(second),
        settings: HashMap::from([(4_026_531_840, settings)]),
    }
}

pub(super) fn state() -> State {
    let origin = Origin {
        wall: "2026-11-25T09:00:00Z".parse().unwrap(),
        losses: vec!["subflows of MPTCP".into()],
        ..Origin::default()
    };
    let mut state = State::new(origin);
    (1..=END).for_each(|second| state.feed(fed(second)));
    state
}

/// The same, as it is seen without counting.
pub(super) fn polled() -> State {
    let mut state = State::new(Origin { losses: vec!["refusals".into()], ..Origin::default() });
    for second in 1..=END {
        let mut snapshot = snapshot(second);
        snapshot.tier = "poll";
        for (_, totals) in &mut snapshot.listeners {
            let drops = Some(totals.of(Outcome::SynAcceptQueueFull));
            *totals = Totals { drops, outcomes: [0; Outcome::COUNT], oldest_ns: None, ..*totals };
            totals.waits = Default::default();
        }
        state.feed(Fed { snapshot, ..Fed::default() });
    }
    state
}
