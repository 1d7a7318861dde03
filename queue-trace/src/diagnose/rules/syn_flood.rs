//! Most clients never answer the SYN-ACK, and they fill the SYN queue.

use queue_trace_common::Outcome;

use crate::diagnose::case::Case;
use crate::diagnose::{Rule, Severity, Verdict};

/// Fewer SYNs than this are no flood of anything: a default SYN queue holds 128.
const SYNS: u64 = 50;
/// Below this share of finished handshakes, most SYNs were never meant to become connections. Real clients
/// finish more than nine in ten, even over poor paths.
pub(super) const COMPLETION: f64 = 0.5;

/// Whether the SYN queue was too small for what came.
pub(super) fn pressed(case: &Case<'_>) -> bool {
    case.of(Outcome::SynCookie) + case.syn_queue_refusals() > 0
}

pub(super) fn holds(case: &Case<'_>) -> bool {
    let syns = case.answered_syns() + case.syn_queue_refusals();
    pressed(case) && syns >= SYNS && case.completion() < COMPLETION
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let refused = case.syn_queue_refusals();
    let (severity, story) = if refused > 0 {
        (
            Severity::Critical,
            "a SYN flood fills the SYN queue, and SYNs are refused: cookies are off",
        )
    } else {
        (Severity::Warning, "a SYN flood fills the SYN queue; cookies let real clients in")
    };
    let verdict = Verdict::new(Rule::SynFlood, severity, story)
        .count("queued_syns", case.of(Outcome::SynQueued))
        .count("cookies_sent", case.of(Outcome::SynCookie))
        .count("cookies_valid", case.of(Outcome::CookieEstablished))
        .count("refused_syns", refused);
    let verdict = case.tell_syns(verdict);
    let mut steps = Vec::new();
    if refused > 0 || case.sysctls.tcp_syncookies == Some(0) {
        steps.push(case.sysctl("net.ipv4.tcp_syncookies", 1));
    }
    if case.sysctls.tcp_synack_retries.is_some_and(|retries| retries > 2) {
        steps.push(case.sysctl("net.ipv4.tcp_synack_retries", 2));
    }
    steps.push(format!(
        "filter before the listener: nft synproxy, or a limit per source, for port {}",
        case.listener.port
    ));
    Some(verdict.change(steps).avoid(
        "raising the backlog against it: a flood fills any queue, and each request takes memory",
    ))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::made_up::{World, totals};
    use crate::diagnose::{Rule, Severity};

    fn world(cookies: u64, valid: u64) -> World {
        let all = [
            (Outcome::SynQueued, 10),
            (Outcome::Established, 10),
            (Outcome::SynCookie, cookies),
            (Outcome::CookieEstablished, valid),
        ];
        World::new(totals(&all))
    }

    #[test]
    fn cookies_that_never_come_back() {
        let said = world(1000, 20).diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::SynFlood, Severity::Warning));
        assert_eq!(said.change[0], "sysctl -w net.ipv4.tcp_synack_retries=2");
    }

    #[test]
    fn without_cookies_it_is_worse() {
        let all = [(Outcome::SynQueued, 129), (Outcome::SynQueueFull, 500)];
        let mut world = World::new(totals(&all));
        world.sysctls.tcp_syncookies = Some(0);
        let said = world.diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::SynFlood, Severity::Critical));
        assert_eq!(said.change[0], "sysctl -w net.ipv4.tcp_syncookies=1");
    }

    #[test]
    fn nearly() {
        assert_eq!(world(1000, 900).says(Rule::SynFlood), None, "they are real: a rush");
        assert_eq!(world(39, 0).says(Rule::SynFlood), None, "a few");
        assert_eq!(world(40, 0).says(Rule::SynFlood).map(|v| v.rule), Some(Rule::SynFlood));
        let queued = [(Outcome::SynQueued, 100), (Outcome::Established, 2)];
        assert_eq!(World::new(totals(&queued)).says(Rule::SynFlood), None, "the queue held them");
    }
}
