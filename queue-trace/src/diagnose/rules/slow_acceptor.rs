//! Connections come faster than they are accepted, or are accepted late.

use queue_trace_common::{Outcome, below_ns};

use super::stopped_acceptor;
use crate::diagnose::acceptor::{Cause, cause, describe, remedy};
use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

/// Full for more than this share of the time, a queue was not filled by a burst: a burst is over before the
/// next one comes.
const FULL_SHARE: f64 = 0.1;
/// One in ten waits longer than this: then accepting takes longer than the first retry of a refused client
/// would.
const WAIT_NS: u64 = 1_000_000_000;
/// Fewer waits than this have no one in ten.
const WAITS: u64 = 10;

pub(super) fn holds(case: &Case<'_>) -> bool {
    let descriptors = case.of(Outcome::AcceptEmfile) + case.of(Outcome::AcceptEnfile) > 0;
    let lasting = case.full_share() > FULL_SHARE || case.is_full();
    !stopped_acceptor::holds(case)
        && (descriptors || (case.overflows() > 0 && lasting) || slow_waits(case))
}

fn slow_waits(case: &Case<'_>) -> bool {
    let waits = &case.totals.waits;
    let begin = waits.quantile(0.9).and_then(|bucket| bucket.checked_sub(1)).and_then(below_ns);
    waits.count() >= WAITS && begin.is_some_and(|begin| begin >= WAIT_NS)
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let refused = case.overflows();
    let severity = if refused > 0 { Severity::Critical } else { Severity::Warning };
    // Between two accepts it may well wait for others: that explains only one who never accepts.
    let found = cause(case).filter(|(cause, _)| *cause != Cause::Elsewhere);
    let why =
        found.map_or_else(String::new, |(cause, _)| format!(": its process {}", cause.story()));
    let story = if refused > 0 {
        let refused = counted(refused, "connection attempt was", "connection attempts were");
        format!("connections come faster than they are accepted, and {refused} refused{why}")
    } else {
        format!("connections are accepted late{why}")
    };
    let mut verdict = Verdict::new(Rule::SlowAcceptor, severity, story)
        .count("entered", case.entered())
        .count("accepts", case.accepts())
        .count("refused_syns", case.refused_syns())
        .count("refused_acks", case.refused_acks())
        .count("peak", case.totals.accept_peak)
        .count("limit", case.listener.limit)
        .time("full_ns", case.totals.accept_full_ns)
        .share("full_share", case.full_share());
    let errors = case.of(Outcome::AcceptEmfile) + case.of(Outcome::AcceptEnfile);
    if errors > 0 {
        verdict = verdict.count("accepts_without_descriptor", errors);
    }
    if let Some((cause, process)) = found {
        verdict = verdict.words("cause", cause.name());
        verdict = process.into_iter().fold(verdict, describe);
    }
    let steps = match found {
        Some((cause, process)) => remedy(cause, process),
        None => vec![format!(
            "accept faster: more workers on this listener, or accept() in a loop until EAGAIN{}",
            factor(case)
        )],
    };
    Some(
        verdict.change(steps).avoid(
            "raising the backlog alone: the queue fills up again, and those in it wait longer",
        ),
    )
}

/// How much faster it would have to be, at least: each attempt that was refused may be one of a client that
/// was refused before, so all of them together are the most.
fn factor(case: &Case<'_>) -> String {
    let wanted = case.entered() + case.overflows();
    match wanted.div_ceil(case.accepts().max(1)) {
        _ if case.accepts() == 0 => String::new(),
        0 | 1 => String::new(),
        times => format!("; {times} times as many would do for sure"),
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{Outcome, bucket};

    use crate::diagnose::made_up::{SECOND, World, totals};
    use crate::diagnose::{Rule, Severity};

    fn world(full_ns: u64) -> World {
        let all = [
            (Outcome::Established, 200),
            (Outcome::Accepted, 100),
            (Outcome::SynAcceptQueueFull, 40),
        ];
        let mut totals = totals(&all);
        totals.accept_full_ns = full_ns;
        World::new(totals)
    }

    fn waits(count: u64, ns: u64) -> World {
        let mut totals = totals(&[(Outcome::Accepted, count)]);
        totals.waits.buckets[bucket(ns / 1000)] = count;
        World::new(totals)
    }

    #[test]
    fn a_queue_that_is_full_for_long() {
        let said = world(2 * SECOND).diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::SlowAcceptor, Severity::Critical));
        assert!(said.change[0].contains("3 times as many"), "{:?}", said.change);
    }

    #[test]
    fn nearly() {
        assert_eq!(
            world(SECOND).says(Rule::SlowAcceptor),
            None,
            "full for a tenth of 10 s: a burst"
        );
    }

    #[test]
    fn waits_of_seconds_without_a_refusal() {
        let said = waits(10, 3 * SECOND).diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::SlowAcceptor, Severity::Warning));
        assert_eq!(waits(10, SECOND / 2).says(Rule::SlowAcceptor), None, "not that late");
        assert_eq!(waits(9, 3 * SECOND).says(Rule::SlowAcceptor), None, "too few to say");
    }

    #[test]
    fn no_descriptor_left() {
        let all = [(Outcome::AcceptEmfile, 1), (Outcome::Accepted, 5)];
        let said = World::new(totals(&all)).diagnosis().main;
        assert!(said.story.ends_with("its process has no file descriptor left"), "{}", said.story);
    }
}
