//! Connections were lost when the listener closed for its successor.

use queue_trace_common::Outcome;

use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

/// Connections that waited, and handshakes that were under way.
fn lost(case: &Case<'_>) -> u64 {
    case.of(Outcome::AbandonedListenerClosed) + case.of(Outcome::ExpiredListenerClosed)
}

fn holds(case: &Case<'_>) -> bool {
    // Without a successor the service was shut down, and nobody expects it to serve.
    let successor = case.siblings.iter().any(|(listener, _)| !listener.closed);
    case.listener.closed && successor && lost(case) > 0
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let lost = counted(lost(case), "connection was", "connections were");
    let verdict = Verdict::new(
        Rule::LostAtRestart,
        Severity::Warning,
        format!("{lost} lost when this listener closed and another one took its place"),
    )
    .count("abandoned", case.of(Outcome::AbandonedListenerClosed))
    .count("half_open_lost", case.of(Outcome::ExpiredListenerClosed))
    .count("migrated", case.of(Outcome::MigratedConnection) + case.of(Outcome::MigratedRequest));
    let mut steps = Vec::new();
    if case.sysctls.tcp_migrate_req == Some(0) {
        let set = case.sysctl("net.ipv4.tcp_migrate_req", 1);
        steps.push(format!(
            "{set}, with SO_REUSEPORT, the new listener opened before the old one closes"
        ));
    }
    steps.push(
        "hand the listening socket over instead of opening a new one (systemd socket activation, SCM_RIGHTS), \
         or accept until EAGAIN before closing"
            .to_owned(),
    );
    Some(
        verdict
            .change(steps)
            .avoid("closing first and listening anew: in between, clients get RST"),
    )
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, listener};
    use crate::model::{Listener, Totals};

    fn world(abandoned: u64, successor: bool) -> World {
        let all = [(Outcome::AbandonedListenerClosed, abandoned)];
        let mut world = World::with(&all, |listener| listener.closed = true);
        let next = Listener { id: 2, closed: !successor, ..listener() };
        world.listeners.push((next, Totals::default()));
        world
    }

    #[test]
    fn abandoned_for_a_successor() {
        let said = world(3, true).diagnosis().main;
        assert_eq!(said.rule, Rule::LostAtRestart);
        assert!(said.change[0].starts_with("sysctl -w net.ipv4.tcp_migrate_req=1"));
    }

    #[test]
    fn nearly() {
        assert_eq!(world(0, true).says(Rule::LostAtRestart), None, "nobody was waiting");
        assert_eq!(world(3, false).says(Rule::LostAtRestart), None, "the service has ended");
    }
}
