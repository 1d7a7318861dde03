//! Fast Open is bound by its own queue, whose length `TCP_FASTOPEN` sets.

use queue_trace_common::{Outcome, Tally};

use crate::diagnose::case::{Case, counted};
use crate::diagnose::{Rule, Severity, Verdict};

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    let full = case.totals.tally(Tally::FastopenQueueFull);
    if full == 0 {
        return None;
    }
    let syns = counted(full, "SYN", "SYNs");
    let verdict = Verdict::new(
        Rule::FastopenLimit,
        Severity::Note,
        format!("Fast Open's own queue was full: {syns} had to do an ordinary handshake"),
    )
    .count("fastopen_queue_full", full)
    .count("fastopen", case.of(Outcome::SynFastopen))
    .count("limit", case.listener.limit);
    let limit = case.listener.limit;
    let step = format!(
        "setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, {limit}) as far as the backlog goes (nginx: listen … \
         fastopen={limit})"
    );
    Some(verdict.change([step]).avoid("raising the backlog: this queue has a limit of its own"))
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{Outcome, Tally};

    use crate::diagnose::Rule;
    use crate::diagnose::made_up::{World, totals};

    #[test]
    fn its_own_limit() {
        let mut totals = totals(&[(Outcome::SynFastopen, 5)]);
        totals.tallies[Tally::FastopenQueueFull as usize] = 2;
        assert_eq!(World::new(totals).diagnosis().main.rule, Rule::FastopenLimit);
    }

    #[test]
    fn nearly() {
        let mut totals = totals(&[(Outcome::SynFastopen, 5)]);
        totals.tallies[Tally::FastopenFallback as usize] = 2;
        assert_eq!(
            World::new(totals).says(Rule::FastopenLimit),
            None,
            "it failed for another reason"
        );
    }
}
