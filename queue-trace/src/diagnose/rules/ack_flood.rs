//! ACKs come that are no cookies of ours.

use queue_trace_common::{Event, Outcome};

use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

/// Fewer than this come from clients that answer too late: a cookie is good for two minutes.
const INVALID: u64 = 50;

fn holds(case: &Case<'_>) -> bool {
    let invalid = case.of(Outcome::CookieInvalid);
    // More bad ones than good: no honest crowd is late to that extent.
    invalid >= INVALID && invalid > case.totals.of_event(Event::CookieValid)
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let invalid = case.of(Outcome::CookieInvalid);
    let acks = counted(invalid, "ACK", "ACKs");
    let verdict = Verdict::new(
        Rule::AckFlood,
        Severity::Warning,
        format!("a flood of ACKs: {acks} carried no cookie of ours, and each cost a hash"),
    )
    .count("cookies_invalid", invalid)
    .count("cookies_valid", case.totals.of_event(Event::CookieValid))
    .count("cookies_sent", case.of(Outcome::SynCookie));
    let rule = format!(
        "nft add rule inet filter input tcp dport {} ct state invalid drop (with nf_conntrack_tcp_loose=0)",
        case.listener.port
    );
    Some(verdict.change([rule]).avoid("turning tcp_syncookies off: then SYNs are refused as well"))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    fn world(invalid: u64, valid: u64) -> World {
        let all = [(Outcome::CookieInvalid, invalid), (Outcome::CookieEstablished, valid)];
        World::new(totals(&all))
    }

    #[test]
    fn bad_cookies() {
        let said = world(50, 49).diagnosis().main;
        assert_eq!(said.rule, Rule::AckFlood);
        assert!(said.change[0].contains("dport 80"), "{:?}", said.change);
    }

    #[test]
    fn nearly() {
        assert_eq!(world(50, 50).says(Rule::AckFlood), None, "as many good ones");
        assert_eq!(world(49, 0).says(Rule::AckFlood), None, "a few late clients");
    }
}
