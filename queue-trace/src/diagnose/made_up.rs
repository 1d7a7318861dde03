//! A made-up listener for the tests of the rules.

use queue_trace_common::Outcome;

use super::rank::{Facts, diagnose};
use super::{Diagnosis, Rule, Surroundings, Verdict};
use crate::model::{Listener, Process, Totals};
use crate::procfs::Sysctls;

pub(super) const SECOND: u64 = 1_000_000_000;
/// How long it was watched.
pub(super) const WATCHED: u64 = 10 * SECOND;
/// When that ended.
pub(super) const NOW: u64 = 100 * SECOND;

pub(super) fn listener() -> Listener {
    Listener {
        id: 1,
        address: "192.0.2.1".parse().unwrap(),
        port: 80,
        device: None,
        cookie: 1,
        netns: 1,
        netns_cookie: 0,
        limit: 128,
        asked: Some(128),
        somaxconn: Some(4096),
        owners: vec![Process { pid: 42, comm: "server".into(), ..Process::default() }],
        closed: false,
    }
}

pub(super) fn sysctls() -> Sysctls {
    Sysctls {
        somaxconn: Some(4096),
        tcp_max_syn_backlog: Some(1024),
        tcp_syncookies: Some(1),
        tcp_abort_on_overflow: Some(0),
        tcp_synack_retries: Some(5),
        tcp_fastopen: Some(1),
        tcp_migrate_req: Some(0),
    }
}

pub(super) fn totals(outcomes: &[(Outcome, u64)]) -> Totals {
    let mut totals = Totals::default();
    for (outcome, count) in outcomes {
        totals.outcomes[*outcome as usize] = *count;
    }
    totals
}

/// Everything about one made-up listener and its siblings.
pub(super) struct World {
    pub(super) listeners: Vec<(Listener, Totals)>,
    pub(super) sysctls: Sysctls,
    pub(super) paid: Option<crate::model::Paid>,
    pub(super) processes: Vec<Surroundings>,
}

impl World {
    pub(super) fn new(totals: Totals) -> Self {
        let listeners = vec![(listener(), totals)];
        Self { listeners, sysctls: sysctls(), paid: None, processes: Vec::new() }
    }

    /// The same with this listener.
    pub(super) fn with(outcomes: &[(Outcome, u64)], change: impl FnOnce(&mut Listener)) -> Self {
        let mut world = Self::new(totals(outcomes));
        change(&mut world.listeners[0].0);
        world
    }

    /// What is said of the first listener.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        let listeners: Vec<_> = self.listeners.iter().map(|(l, totals)| (l, totals)).collect();
        let facts = Facts {
            listeners: &listeners,
            watched_ns: WATCHED,
            now_ns: NOW,
            own_netns: Some(1),
            sysctls: &|_| self.sysctls,
            paid: &|_, _| self.paid,
            addresses: &|_| None,
            process: &|pid| self.processes.iter().find(|process| process.pid == pid),
        };
        let said = diagnose(&facts).into_iter().find(|diagnosis| diagnosis.listener == 0).unwrap();
        for verdict in std::iter::once(&said.main).chain(&said.remarks) {
            let whole = !verdict.evidence.is_empty() && !verdict.change.is_empty();
            assert!(
                verdict.rule == Rule::Healthy || whole && !verdict.avoid.is_empty(),
                "{verdict:?}"
            );
        }
        said
    }

    /// What one rule says of it.
    pub(super) fn says(&self, rule: Rule) -> Option<Verdict> {
        let Diagnosis { main, remarks, .. } = self.diagnosis();
        std::iter::once(main).chain(remarks).find(|verdict| verdict.rule == rule)
    }
}
