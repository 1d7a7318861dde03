//! The accept queue is full and nobody accepts at all.

use crate::diagnose::acceptor::{cause, describe, remedy};
use crate::diagnose::case::Case;
use crate::diagnose::{Rule, Severity, Verdict};

/// A server that did not accept for this long while connections waited is not merely between two calls: a
/// busy one accepts thousands of times a second.
const STILL_NS: u64 = 1_000_000_000;

pub(super) fn holds(case: &Case<'_>) -> bool {
    let still = case.oldest_ns().unwrap_or(case.watched_ns).max(case.watched_ns);
    case.is_full() && case.accepts() == 0 && still >= STILL_NS
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let found = cause(case);
    let story = match found {
        Some((cause, _)) => format!("nothing is accepted: its process {}", cause.story()),
        None => "nothing is accepted, and the accept queue is full".to_owned(),
    };
    let mut verdict = Verdict::new(Rule::StoppedAcceptor, Severity::Critical, story)
        .count("accepts", case.accepts())
        .count("waiting", case.totals.waiting)
        .count("limit", case.listener.limit)
        .count("refused", case.overflows());
    if let Some(oldest) = case.oldest_ns() {
        verdict = verdict.time("oldest_ns", oldest);
    }
    let steps = match found {
        Some((cause, process)) => {
            verdict = verdict.words("cause", cause.name());
            if let Some(process) = process {
                verdict = describe(verdict, process);
            }
            remedy(cause, process)
        }
        None if case.listener.owners.is_empty() => {
            vec!["find its process: run this as root, or look with `ss -ltnp`".to_owned()]
        }
        None => vec!["look at its process: does it still run its accept loop?".to_owned()],
    };
    Some(
        verdict
            .change(steps)
            .avoid("raising the backlog: a longer queue that nobody empties fills up too"),
    )
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::made_up::{NOW, SECOND, World, totals};
    use crate::diagnose::{Rule, Severity, Surroundings, Value};

    fn world(waiting: u64, accepts: u64) -> World {
        let mut totals = totals(&[(Outcome::SynAcceptQueueFull, 3), (Outcome::Accepted, accepts)]);
        (totals.waiting, totals.oldest_ns) = (waiting, Some(NOW - 5 * SECOND));
        World::new(totals)
    }

    #[test]
    fn a_full_queue_that_nobody_empties() {
        let mut world = world(129, 0);
        let process = Surroundings { pid: 42, state: 'T', ..Surroundings::default() };
        world.processes.push(process);
        let said = world.diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::StoppedAcceptor, Severity::Critical));
        assert_eq!(said.story, "nothing is accepted: its process is stopped");
        assert!(
            said.evidence
                .iter()
                .any(|e| e.name == "oldest_ns" && e.value == Value::Time(5 * SECOND))
        );
        assert!(said.change[0].starts_with("kill -CONT 42"), "{:?}", said.change);
    }

    #[test]
    fn nearly() {
        assert_eq!(world(129, 1).says(Rule::StoppedAcceptor), None, "something was accepted");
        assert_eq!(world(128, 0).says(Rule::StoppedAcceptor), None, "there is room for one");
    }
}
