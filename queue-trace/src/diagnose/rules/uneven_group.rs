//! One member of a `SO_REUSEPORT` group refuses while another has room.

use queue_trace_common::Event;

use crate::diagnose::case::{Case, counted, overflows};
use crate::diagnose::{Rule, Severity, Verdict};
use crate::model::{Listener, Totals};

/// A sibling that never was fuller than this share of its limit had room for what was refused here.
const ROOM: f64 = 0.5;

/// Open siblings that refused nothing and had room.
fn idle(case: &Case<'_>) -> u64 {
    let has_room = |(listener, totals): &&(&Listener, &Totals)| {
        let room = f64::from(listener.limit) * ROOM;
        !listener.closed && overflows(totals) == 0 && f64::from(totals.accept_peak) <= room
    };
    case.siblings.iter().filter(has_room).count() as u64
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    let idle = if case.overflows() > 0 { idle(case) } else { 0 };
    if idle == 0 {
        return None;
    }
    let others = counted(idle, "sibling", "siblings");
    let members = case.siblings.iter().filter(|(listener, _)| !listener.closed).count() as u64 + 1;
    let accepts = case.siblings.iter().map(|(_, totals)| totals.of_event(Event::Accept));
    let verdict = Verdict::new(
        Rule::UnevenGroup,
        Severity::Critical,
        format!("this member of the SO_REUSEPORT group refuses while {others} of it had room"),
    )
    .count("members", members)
    .count("idle_members", idle)
    .count("refused", case.overflows())
    .count("accepts", case.accepts())
    .count("accepts_of_siblings", accepts.sum::<u64>())
    .count("peak", case.totals.accept_peak)
    .count("limit", case.listener.limit);
    let pids: Vec<_> = case.listener.owners.iter().map(|owner| owner.pid.to_string()).collect();
    let pids =
        if pids.is_empty() { String::new() } else { format!(" (process {})", pids.join(", ")) };
    let steps = [
        format!("see to the worker of this member{pids}: the kernel goes on to give it its share"),
        "or let all workers accept from one listener (nginx: listen … without reuseport), or choose members \
         by SO_ATTACH_REUSEPORT_EBPF"
            .to_owned(),
    ];
    Some(
        verdict.change(steps).avoid("raising the backlog: the share of this member stays the same"),
    )
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, listener, totals};
    use crate::model::{Listener, Totals};

    fn world(sibling_peak: u32, closed: bool) -> World {
        let mut world = World::new(totals(&[(Outcome::SynAcceptQueueFull, 5)]));
        let sibling = Listener { id: 2, closed, ..listener() };
        world.listeners.push((sibling, Totals { accept_peak: sibling_peak, ..Totals::default() }));
        world
    }

    #[test]
    fn one_refuses_beside_an_idle_one() {
        assert_eq!(world(64, false).diagnosis().main.rule, Rule::UnevenGroup);
    }

    #[test]
    fn nearly() {
        assert_eq!(world(65, false).says(Rule::UnevenGroup), None, "the other one was busy too");
        assert_eq!(world(0, true).says(Rule::UnevenGroup), None, "the other one had closed");
        let mut elsewhere = world(0, false);
        elsewhere.listeners[1].0.port = 81;
        assert_eq!(elsewhere.says(Rule::UnevenGroup), None, "not of the group");
    }
}
