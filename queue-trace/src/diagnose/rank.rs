//! All rules over all listeners; which verdict is the main one, and which listener comes first.

use std::collections::HashMap;

use super::case::Case;
use super::rules::RULES;
use super::{Rule, Severity, Surroundings, Verdict};
use crate::model::{Listener, Paid, Totals};
use crate::procfs::Sysctls;

/// What there is to judge by.
pub struct Facts<'a> {
    /// The listeners, and what happened at each in the interval.
    pub listeners: &'a [(&'a Listener, &'a Totals)],
    /// How long the interval was, nanoseconds.
    pub watched_ns: u64,
    /// When it ended, on the monotonic clock.
    pub now_ns: u64,
    /// Inode of our own network namespace, if it is known.
    pub own_netns: Option<u32>,
    /// The settings of a namespace, by its inode.
    pub sysctls: &'a dyn Fn(u32) -> Sysctls,
    /// What the refused clients of a listener paid, by its number and totals; nothing where no records were
    /// seen.
    pub paid: &'a dyn Fn(u32, &Totals) -> Option<Paid>,
    /// From how many addresses a listener was pressed, by its number; nothing where no records were seen.
    pub addresses: &'a dyn Fn(u32) -> Option<u64>,
    /// A process that holds a listener, by its id.
    pub process: &'a dyn Fn(u32) -> Option<&'a Surroundings>,
}

/// What is said of one listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Its place among [`Facts::listeners`].
    pub listener: usize,
    /// The worst, and of equally bad ones the cause of the others.
    pub main: Verdict,
    /// The others, worst first.
    pub remarks: Vec<Verdict>,
}

impl Diagnosis {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.main.severity
    }
}

/// Judges every listener; the worst comes first, of equally bad ones the one that was given first.
#[must_use]
pub fn diagnose(facts: &Facts<'_>) -> Vec<Diagnosis> {
    let mut groups: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, (listener, _)) in facts.listeners.iter().enumerate() {
        groups.entry(address(listener)).or_default().push(place);
    }
    let one = |place: usize| {
        let (listener, totals) = *facts.listeners.get(place)?;
        let siblings = groups.get(&address(listener)).into_iter().flatten();
        let siblings = siblings.filter(|other| **other != place && listener.id != 0);
        let siblings = siblings.filter_map(|other| facts.listeners.get(*other).copied());
        let pids = || listener.owners.iter().map(|owner| owner.pid);
        let case = Case {
            listener,
            totals,
            siblings: siblings.collect(),
            watched_ns: facts.watched_ns,
            now_ns: facts.now_ns,
            sysctls: (facts.sysctls)(listener.netns),
            paid: (facts.paid)(listener.id, totals),
            addresses: (facts.addresses)(listener.id),
            acceptors: pids().filter_map(facts.process).collect(),
            elsewhere: pids()
                .next()
                .filter(|_| facts.own_netns.is_some_and(|own| own != listener.netns)),
        };
        Some(judge(place, &case))
    };
    let mut all: Vec<_> = (0..facts.listeners.len()).filter_map(one).collect();
    all.sort_by_key(|diagnosis| std::cmp::Reverse(diagnosis.severity()));
    all
}

/// What listeners of one group have in common.
fn address(listener: &Listener) -> (u32, std::net::IpAddr, u16, Option<u32>) {
    (listener.netns, listener.address, listener.port, listener.device)
}

fn judge(place: usize, case: &Case<'_>) -> Diagnosis {
    let mut verdicts: Vec<_> = RULES.iter().filter_map(|rule| rule(case)).collect();
    verdicts.sort_by_key(|verdict| (std::cmp::Reverse(verdict.severity), verdict.rule));
    let mut verdicts = verdicts.into_iter();
    let healthy = || Verdict::new(Rule::Healthy, Severity::Fine, "nothing is wrong");
    Diagnosis {
        listener: place,
        main: verdicts.next().unwrap_or_else(healthy),
        remarks: verdicts.collect(),
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use super::*;
    use crate::diagnose::made_up::{World, listener, totals};

    #[test]
    fn an_ordinary_listener_is_healthy() {
        let all =
            [(Outcome::SynQueued, 100), (Outcome::Established, 100), (Outcome::Accepted, 100)];
        let said = World::new(totals(&all)).diagnosis();
        assert_eq!((said.main.rule, said.severity()), (Rule::Healthy, Severity::Fine));
        assert_eq!(said.remarks, []);
    }

    #[test]
    fn the_cause_is_the_main_verdict_and_the_rest_are_remarks() {
        let mut world = World::with(&[(Outcome::SynAcceptQueueFull, 9)], |listener| {
            (listener.asked, listener.somaxconn) = (Some(511), Some(128));
        });
        world.sysctls.somaxconn = Some(128);
        let said = world.diagnosis();
        assert_eq!(said.main.rule, Rule::BacklogClamped);
        assert_eq!(said.remarks.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::Burst]);
    }

    #[test]
    fn the_worst_listener_comes_first() {
        let calm = (listener(), Totals::default());
        let refusing = Listener { id: 2, port: 81, ..listener() };
        let refused = totals(&[(Outcome::SynAcceptQueueFull, 9)]);
        let world =
            World { listeners: vec![calm, (refusing, refused)], ..World::new(Totals::default()) };
        assert_eq!(world.diagnosis().main.rule, Rule::Healthy);
        let listeners: Vec<_> = world.listeners.iter().map(|(l, totals)| (l, totals)).collect();
        let facts = Facts {
            listeners: &listeners,
            watched_ns: 1,
            now_ns: 1,
            own_netns: Some(1),
            sysctls: &|_| world.sysctls,
            paid: &|_, _| None,
            addresses: &|_| None,
            process: &|_| None,
        };
        let places: Vec<_> = diagnose(&facts).iter().map(|diagnosis| diagnosis.listener).collect();
        assert_eq!(places, [1, 0]);
    }

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Rule::ALL.len());
        assert_eq!(RULES.len() + 1, Rule::ALL.len(), "each but healthy has its function");
    }
}
