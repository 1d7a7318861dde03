//! SYN-ACKs or their answers get lost on the way, or clients vanish.

use queue_trace_common::Outcome;

use super::syn_flood;
use crate::diagnose::case::{Case, share};
use crate::diagnose::{Rule, Severity, Verdict};

/// Fewer losses than this happen anywhere.
const LOSSES: u64 = 10;
/// From this share of handshakes on: paths across the internet lose one or two in a hundred, five are a
/// broken one.
const SHARE: f64 = 0.05;

/// SYN-ACKs that were sent again, less those that were so because we ourselves refused or held back their
/// answer.
fn losses(case: &Case<'_>) -> u64 {
    let ours = case.of(Outcome::AckAcceptQueueFull)
        + case.of(Outcome::AckChildFailed)
        + case.of(Outcome::AckDeferred);
    case.of(Outcome::SynackRetransmit).saturating_sub(ours)
}

fn holds(case: &Case<'_>) -> bool {
    let losses = losses(case);
    !syn_flood::holds(case)
        && losses >= LOSSES
        && share(losses, case.of(Outcome::SynQueued)) >= SHARE
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let expired = case.of(Outcome::ExpiredRetries);
    let story = if case.completion() < 0.5 {
        "clients send SYNs and vanish: their SYN-ACKs are sent again and again, and nobody answers"
    } else {
        "SYN-ACKs or their answers get lost on the way, and clients wait for the next try"
    };
    let verdict = Verdict::new(Rule::LossyPath, Severity::Warning, story)
        .count("queued_syns", case.of(Outcome::SynQueued))
        .count("synacks_resent", case.of(Outcome::SynackRetransmit))
        .count("unanswered", losses(case))
        .count("syns_resent", case.of(Outcome::SynRetransmitted))
        .count("expired", expired)
        .share("completion", case.completion());
    let look = format!(
        "look where they get lost: tcpdump -ni any 'tcp port {} and tcp[tcpflags] & (tcp-syn|tcp-rst) != 0'",
        case.listener.port
    );
    let steps =
        [look, "check asymmetric routes, firewalls and rp_filter on the way back".to_owned()];
    Some(verdict.change(steps).avoid("changing the backlog: the listener refused none of them"))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    fn world(resent: u64, deferred: u64) -> World {
        let all = [
            (Outcome::SynQueued, 200),
            (Outcome::Established, 190),
            (Outcome::SynackRetransmit, resent),
            (Outcome::AckDeferred, deferred),
        ];
        World::new(totals(&all))
    }

    #[test]
    fn synacks_that_nobody_answers() {
        assert_eq!(world(10, 0).diagnosis().main.rule, Rule::LossyPath);
        let gone = [(Outcome::SynQueued, 20), (Outcome::SynackRetransmit, 40)];
        let said = World::new(totals(&gone)).diagnosis().main;
        assert!(said.story.contains("vanish"), "{}", said.story);
    }

    #[test]
    fn nearly() {
        assert_eq!(world(9, 0).says(Rule::LossyPath), None, "a few");
        assert_eq!(world(10, 1).says(Rule::LossyPath), None, "we held the ACK back ourselves");
        let many = [(Outcome::SynQueued, 1000), (Outcome::SynackRetransmit, 49)];
        assert_eq!(World::new(totals(&many)).says(Rule::LossyPath), None, "as everywhere");
    }
}
