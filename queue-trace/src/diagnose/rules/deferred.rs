//! `TCP_DEFER_ACCEPT` holds bare final ACKs back: drops in the counters that lose nothing.

use queue_trace_common::Outcome;

use crate::diagnose::case::{Case, share};
use crate::diagnose::{Rule, Severity, Verdict};

/// Fewer than this nobody takes for loss.
const DEFERRED: u64 = 10;
/// Below this share of handshakes, most clients send their request at once, as deferring expects of them.
const SHARE: f64 = 0.1;

fn holds(case: &Case<'_>) -> bool {
    let deferred = case.of(Outcome::AckDeferred);
    deferred >= DEFERRED && share(deferred, case.of(Outcome::SynQueued)) >= SHARE
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let verdict = Verdict::new(
        Rule::Deferred,
        Severity::Note,
        "TCP_DEFER_ACCEPT holds connections back until their clients send something; the drops and \
         half-open requests that this shows as are no loss",
    )
    .count("deferred", case.of(Outcome::AckDeferred))
    .count("queued_syns", case.of(Outcome::SynQueued))
    .count("entered", case.entered())
    .count("half_open", case.totals.half_open);
    let step = "if the server speaks first, or clients keep idle connections: take TCP_DEFER_ACCEPT away \
                (nginx: listen … deferred; Apache: AcceptFilter)";
    Some(verdict.change([step.to_owned()]).avoid("raising queues because of these drops"))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    fn world(deferred: u64, queued: u64) -> World {
        World::new(totals(&[(Outcome::AckDeferred, deferred), (Outcome::SynQueued, queued)]))
    }

    #[test]
    fn held_back() {
        assert_eq!(world(10, 100).diagnosis().main.rule, Rule::Deferred);
    }

    #[test]
    fn nearly() {
        assert_eq!(world(9, 9).says(Rule::Deferred), None, "a few");
        assert_eq!(world(10, 101).says(Rule::Deferred), None, "most clients send at once");
    }
}
