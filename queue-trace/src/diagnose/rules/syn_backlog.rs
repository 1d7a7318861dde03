//! `tcp_max_syn_backlog` bounds the SYN queue: cookies are off, and its last quarter is kept for clients that
//! have been here before.

use queue_trace_common::Outcome;

use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    let refused = case.of(Outcome::SynLastQuarter);
    if refused == 0 {
        return None;
    }
    let bound = case.sysctls.tcp_max_syn_backlog.unwrap_or_default().cast_unsigned();
    let syns = counted(refused, "SYN was", "SYNs were");
    let verdict = Verdict::new(
        Rule::SynBacklog,
        Severity::Warning,
        format!(
            "tcp_max_syn_backlog ({bound}) bounds the SYN queue, not the backlog, and {syns} refused: \
             cookies are off"
        ),
    )
    .count("refused_syns", refused)
    .count("tcp_max_syn_backlog", bound)
    .count("syn_queue_peak", case.totals.syn_peak)
    .count("limit", case.listener.limit);
    // Three quarters of it have to hold what the backlog lets in, which is one more than the limit.
    let enough = ((u64::from(case.listener.limit) + 1) * 4).div_ceil(3) + 1;
    let steps = [
        case.sysctl("net.ipv4.tcp_syncookies", 1),
        format!("or {}", case.sysctl("net.ipv4.tcp_max_syn_backlog", enough)),
    ];
    Some(verdict.change(steps).avoid("raising the backlog: it is not what binds here"))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    #[test]
    fn the_last_quarter() {
        let said = World::new(totals(&[(Outcome::SynLastQuarter, 1)])).diagnosis().main;
        assert_eq!(said.rule, Rule::SynBacklog);
        assert_eq!(said.change[1], "or sysctl -w net.ipv4.tcp_max_syn_backlog=173");
    }

    #[test]
    fn nearly() {
        let world = World::new(totals(&[(Outcome::SynQueueFull, 9)]));
        assert_eq!(world.says(Rule::SynBacklog), None, "the backlog binds");
    }
}
