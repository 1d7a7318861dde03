//! Clients waited for a retransmission timer: refused or lost, they try again after 1 s, 3 s, 7 s.

use queue_trace_common::bucket;

use crate::diagnose::case::{Case, counted, share};
use crate::diagnose::{Rule, Severity, Verdict};
use crate::model::{Paid, RETRIES};

/// A handshake that took longer than this waited for a timer: the first one is 1 s on both sides, and no path
/// on this planet takes half of it.
const TIMER_NS: u64 = 524_288_000;
/// From this share of connections on: one in a hundred is what a p99 shows.
const SHARE: f64 = 0.01;

/// Clients that were refused and got in by a later try.
fn late(paid: &Paid) -> u64 {
    paid.delayed.iter().sum()
}

/// Handshakes in which a SYN-ACK or its answer had to be sent again.
fn slow_handshakes(case: &Case<'_>) -> u64 {
    case.totals.handshakes.buckets.iter().skip(bucket(TIMER_NS / 1000)).sum()
}

fn waited(case: &Case<'_>) -> u64 {
    case.paid.as_ref().map_or(0, late) + slow_handshakes(case)
}

fn holds(case: &Case<'_>) -> bool {
    let waited = waited(case);
    waited > 0 && share(waited, case.entered()) >= SHARE
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let waited = counted(waited(case), "connection", "connections");
    let mut verdict = Verdict::new(
        Rule::SlowTimers,
        Severity::Warning,
        format!("{waited} came in only after a retransmission timer of a second or more"),
    )
    .count("entered", case.entered())
    .count("slow_handshakes", slow_handshakes(case));
    if let Some(paid) = &case.paid {
        let longest = RETRIES.iter().zip(paid.delayed).rev().find(|(_, count)| *count > 0);
        verdict = verdict.count("refused_and_late", late(paid)).count("never", paid.never());
        if let Some((seconds, _)) = longest {
            verdict = verdict.time("longest_about_ns", seconds * 1_000_000_000);
        }
    }
    let step = "cure what refuses or loses them: the timers run in the clients, and a server cannot shorten them";
    Some(verdict.change([step.to_owned()]).avoid(
        "tcp_abort_on_overflow=1, unless every client tries again by itself when it is reset",
    ))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{Outcome, bucket};

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{SECOND, World, totals};
    use crate::model::Paid;

    fn refused(briefly: u64, after_a_second: u64) -> World {
        let mut world = World::new(totals(&[(Outcome::Established, 100)]));
        let mut paid = Paid { briefly, ..Paid::default() };
        paid.delayed[0] = after_a_second;
        world.paid = Some(paid);
        world
    }

    fn handshakes(nanoseconds: u64) -> World {
        let mut totals = totals(&[(Outcome::Established, 100)]);
        totals.handshakes.buckets[bucket(nanoseconds / 1000)] = 1;
        World::new(totals)
    }

    #[test]
    fn seconds_lost_to_a_timer() {
        assert_eq!(refused(0, 1).diagnosis().main.rule, Rule::SlowTimers);
        assert_eq!(handshakes(SECOND).diagnosis().main.rule, Rule::SlowTimers);
    }

    #[test]
    fn nearly() {
        assert_eq!(refused(5, 0).says(Rule::SlowTimers), None, "back at once");
        assert_eq!(handshakes(SECOND / 2).says(Rule::SlowTimers), None, "a long way off");
        let mut busy = refused(0, 1);
        busy.listeners[0].1.outcomes[Outcome::Established as usize] = 101;
        assert_eq!(busy.says(Rule::SlowTimers), None, "one in a hundred and one");
    }
}
