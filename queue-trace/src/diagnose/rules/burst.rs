//! The accept queue overflowed for a moment, and drained.

use super::{slow_acceptor, stopped_acceptor};
use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

pub(super) fn holds(case: &Case<'_>) -> bool {
    case.overflows() > 0 && !stopped_acceptor::holds(case) && !slow_acceptor::holds(case)
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let refused = counted(case.overflows(), "connection attempt was", "connection attempts were");
    let backlog = case.enough_backlog();
    let verdict = Verdict::new(
        Rule::Burst,
        Severity::Warning,
        format!("more connections came at once than the accept queue holds, and {refused} refused"),
    )
    .count("refused_syns", case.refused_syns())
    .count("refused_acks", case.refused_acks())
    .count("peak", case.totals.accept_peak)
    .count("limit", case.listener.limit)
    .time("full_ns", case.totals.accept_full_ns)
    .count("enough_backlog", backlog);
    let steps = case.larger_backlog(backlog);
    Some(verdict.change(steps).avoid(
        "tcp_abort_on_overflow=1: it resets the clients of a burst that would get in a second later",
    ))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::made_up::{World, totals};
    use crate::diagnose::{Rule, Severity};

    fn world(refused: u64) -> World {
        let all = [(Outcome::Accepted, 100), (Outcome::SynAcceptQueueFull, refused)];
        World::new(totals(&all))
    }

    #[test]
    fn a_moment_of_refusals() {
        let mut world = world(300);
        let said = world.diagnosis().main;
        assert_eq!((said.rule, said.severity), (Rule::Burst, Severity::Warning));
        assert_eq!(
            said.change,
            ["give listen() a backlog of 512 in the program's configuration, and restart it"]
        );
        world.sysctls.somaxconn = Some(256);
        assert_eq!(world.diagnosis().main.change[0], "sysctl -w net.core.somaxconn=512");
        world.listeners[0].0.netns = 2;
        assert_eq!(
            world.diagnosis().main.change[0],
            "nsenter --net=/proc/42/ns/net sysctl -w net.core.somaxconn=512"
        );
    }

    #[test]
    fn nearly() {
        let mut world = world(0);
        world.listeners[0].1.accept_peak = 129;
        assert_eq!(world.says(Rule::Burst), None, "full, but nobody was refused");
    }
}
