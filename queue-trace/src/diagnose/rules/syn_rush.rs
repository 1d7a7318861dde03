//! More real clients at once than the SYN queue holds.

use queue_trace_common::Outcome;

use super::syn_flood::{self, COMPLETION};
use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

/// `tcp_syncookies`: every SYN gets a cookie, however empty the SYN queue is.
const ALWAYS: i64 = 2;

/// SYNs that the backlog left no room for; those that `tcp_max_syn_backlog` refused are not among them.
fn overrun(case: &Case<'_>) -> u64 {
    let by_choice = case.sysctls.tcp_syncookies == Some(ALWAYS);
    let cookies = if by_choice { 0 } else { case.of(Outcome::SynCookie) };
    case.of(Outcome::SynQueueFull) + cookies
}

fn holds(case: &Case<'_>) -> bool {
    // A few cookies that did not come back may have been anything, and hurt nobody; a refusal does.
    let real = case.completion() >= COMPLETION || case.of(Outcome::SynQueueFull) > 0;
    overrun(case) > 0 && real && !syn_flood::holds(case)
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let (refused, overrun) = (case.of(Outcome::SynQueueFull), overrun(case));
    let backlog = (u64::from(case.listener.limit) + overrun).next_power_of_two();
    let syns = counted(overrun, "SYN", "SYNs");
    let verdict = Verdict::new(
        Rule::SynRush,
        Severity::Warning,
        format!("more clients come at once than the SYN queue holds: {syns} found no room in it"),
    )
    .count("cookies_sent", case.of(Outcome::SynCookie))
    .count("cookies_valid", case.of(Outcome::CookieEstablished))
    .count("refused_syns", refused);
    let verdict = case.tell_syns(verdict);
    let mut steps = case.larger_backlog(backlog);
    if refused > 0 {
        steps.insert(0, case.sysctl("net.ipv4.tcp_syncookies", 1));
    }
    Some(
        verdict
            .change(steps)
            .avoid("blocking these addresses: those who finish their handshakes are users"),
    )
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    fn world(valid: u64) -> World {
        let all = [(Outcome::SynCookie, 1000), (Outcome::CookieEstablished, valid)];
        World::new(totals(&all))
    }

    #[test]
    fn cookies_that_come_back() {
        let said = world(900).diagnosis().main;
        assert_eq!(said.rule, Rule::SynRush);
        assert!(said.change[0].contains("a backlog of 2048"), "{:?}", said.change);
    }

    #[test]
    fn a_refusal_hurts_whoever_it_was() {
        let all = [(Outcome::SynQueued, 20), (Outcome::SynQueueFull, 5)];
        let said = World::new(totals(&all)).diagnosis().main;
        assert_eq!(said.rule, Rule::SynRush);
        assert_eq!(said.change[0], "sysctl -w net.ipv4.tcp_syncookies=1");
    }

    #[test]
    fn nearly() {
        assert_eq!(world(499).says(Rule::SynRush), None, "a flood");
        let few = [(Outcome::SynCookie, 30)];
        assert_eq!(World::new(totals(&few)).says(Rule::SynRush), None, "who knows what they were");
        let mut world = world(900);
        world.sysctls.tcp_syncookies = Some(2);
        assert_eq!(world.says(Rule::SynRush), None, "cookies by choice");
    }
}
