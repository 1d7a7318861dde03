//! Made-up counts that grow step by step.

use std::net::IpAddr;

use jiff::Timestamp;
use queue_trace::daemon::Published;
use queue_trace::model::{
    Balance, Container, Home, Listener, NamespaceName, Process, ProgramCost, Snapshot, Totals,
    Worker,
};
use queue_trace_common::{Fault, Outcome, Tally};

/// At this step the group's program is started anew: other listeners on the same place.
pub(crate) const REOPENED: u64 = 10;

const NETNS: u32 = 4_026_531_840;

/// Everything, each count as often as there were steps: exactly so of the group on port 8080 as a whole.
pub(crate) fn published(step: u64, started: Timestamp) -> Published {
    let mut listeners = vec![
        listener(3, "::", 443, steps(step, false)),
        listener(4, "127.0.0.1", 5432, steps(step, false)),
    ];
    // Two members of a group; the first one does all the work, and its counts begin anew.
    let (first, again) = (step.min(REOPENED), step.saturating_sub(REOPENED));
    if step < REOPENED + 3 {
        let mut members = [
            listener(1, "0.0.0.0", 8080, steps(first, true)),
            listener(2, "0.0.0.0", 8080, Totals::default()),
        ];
        members.iter_mut().for_each(|(member, _)| member.closed = step >= REOPENED);
        listeners.extend(members);
    }
    if step >= REOPENED {
        listeners.push(listener(5, "0.0.0.0", 8080, steps(again, true)));
        listeners.push(listener(6, "0.0.0.0", 8080, Totals::default()));
    }
    let worker = |pid, accepts| Worker { listener: 5, pid, comm: "nginx".into(), accepts };
    let kernel = |_: &str| Some(2 * step);
    let snapshot = Snapshot {
        time_ns: (step + 1) * 1_000_000_000,
        tier: "fentry",
        listeners,
        namespaces: vec![NamespaceName {
            inode: NETNS,
            name: Some("blue".into()),
            ..NamespaceName::default()
        }],
        workers: vec![worker(42, 3 * again), worker(43, again)],
        shed: vec![(Outcome::SynQueued, step)],
        contradicted: vec![(Outcome::SynQueueFull, step)],
        faults: vec![(Fault::SlotsExhausted, step)],
        missed: step,
        programs: vec![ProgramCost {
            program: "tcp_conn_request".into(),
            run_ns: step * 100_000,
            runs: step * 200,
        }],
        books: vec![Balance::new(NETNS, &steps(step, false), kernel)],
        ..Snapshot::default()
    };
    let losses = vec!["what accept() answers is not seen".to_owned()];
    Published::new(snapshot, Timestamp::now(), started, losses)
}

/// Each outcome once a step, accepts four times; an accept queue that is full, or empty.
fn steps(step: u64, full: bool) -> Totals {
    let mut totals = Totals {
        outcomes: [step; Outcome::COUNT],
        tallies: [step; Tally::COUNT],
        accept_full_ns: step * 50_000_000,
        syn_full_ns: step * 1_000_000,
        drops: Some(step),
        half_open: 1,
        recent_syn_peak: 2,
        ..Totals::default()
    };
    totals.outcomes[Outcome::Accepted as usize] = 4 * step;
    // Two waits below 256 µs, two below 2.1 s; handshakes below 1 ms.
    (totals.waits.buckets[8], totals.waits.buckets[21]) = (2 * step, 2 * step);
    totals.waits.sum_ns = step * 3_000_000_000;
    totals.handshakes.buckets[10] = step;
    totals.handshakes.sum_ns = step * 700_000;
    if full {
        (totals.waiting, totals.recent_accept_peak, totals.oldest_ns) = (3, 6, Some(1));
    }
    totals
}

fn listener(id: u32, address: &str, port: u16, totals: Totals) -> (Listener, Totals) {
    let owner = Process {
        pid: 42,
        comm: "nginx".into(),
        executable: Some("/usr/sbin/nginx".into()),
        home: Some(Home {
            cgroup: "/system.slice/nginx.service".into(),
            unit: Some("nginx.service".into()),
            container: Some(Container { runtime: "docker".into(), id: "0123456789ab".into() }),
            pod: Some("6d4d2f7e-8a55-4b5c-9a53-1d2c3b4a5e6f".into()),
        }),
    };
    let address: IpAddr = address.parse().unwrap();
    let listener = Listener {
        id,
        address,
        port,
        device: None,
        cookie: u64::from(id),
        netns: NETNS,
        netns_cookie: 1,
        limit: 5,
        asked: Some(511),
        somaxconn: Some(5),
        owners: vec![owner],
        closed: false,
    };
    (listener, totals)
}
