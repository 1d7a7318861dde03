//! What there is to judge listeners by, put together.

use std::collections::HashMap;

use queue_trace_common::{Event, Outcome};

use crate::diagnose::{Diagnosis, Facts, Surroundings, diagnose};
use crate::model::{Addresses, Clients, Observed, Scheduled, Snapshot};
use crate::procfs::Sample;
use crate::source::Census;

/// Whether verdicts rest on single events of this outcome: who was refused, and got in after all, and who was sent
/// a cookie. Everything else is counted.
pub(super) fn need(outcome: Outcome) -> bool {
    Clients::needs(outcome) || outcome.event() == Event::SynCookie
}

/// What was gathered in an interval.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    /// When it began, on the monotonic clock.
    pub(super) began_ns: u64,
    /// What was to be seen around the listeners then, if somebody looked.
    pub(super) before: &'a Census,
    /// What was counted to its end.
    pub(super) snapshot: &'a Snapshot,
    /// What was to be seen around the listeners then.
    pub(super) census: &'a Census,
    /// What the records told.
    pub(super) observed: &'a Observed,
    /// What the scheduler tells of the processes, by their ids; nothing of those of which it was not asked.
    pub(super) scheduled: HashMap<u32, Scheduled>,
    /// Who pressed, if that was streamed.
    pub(super) addresses: Option<&'a Addresses>,
}

/// Judges the listeners.
pub(super) fn judge(gathered: &Gathered<'_>) -> Vec<Diagnosis> {
    let Gathered { snapshot, census, before, .. } = *gathered;
    let around = |(pid, now): (&u32, &Sample)| {
        let around = Surroundings::between(before.processes.get(pid), now);
        (*pid, around.with(gathered.scheduled.get(pid)))
    };
    let processes: HashMap<_, _> = census.processes.iter().map(around).collect();
    let listeners: Vec<_> = snapshot.listeners.iter().map(|(l, totals)| (l, totals)).collect();
    diagnose(&Facts {
        listeners: &listeners,
        watched_ns: snapshot.time_ns.saturating_sub(gathered.began_ns),
        now_ns: snapshot.time_ns,
        own_netns: census.own_netns(),
        sysctls: &|netns| census.settings_of(netns),
        paid: &|listener, totals| Some(gathered.observed.paid(listener, totals, snapshot)),
        addresses: &|listener| Some(gathered.addresses?.of(listener)),
        process: &|pid| processes.get(&pid),
    })
}
