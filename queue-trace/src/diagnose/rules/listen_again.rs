//! `somaxconn` was raised after `listen()`: a listener keeps what it was granted.

use crate::diagnose::case::Case;
use crate::diagnose::{Rule, Severity, Verdict};

fn holds(case: &Case<'_>) -> bool {
    let limit = case.listener.limit;
    case.listener.asked.is_some_and(|asked| asked > limit)
        && case.sysctls.somaxconn.is_some_and(|now| now > i64::from(limit))
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    if !holds(case) {
        return None;
    }
    let limit = case.listener.limit;
    let asked = case.listener.asked.unwrap_or_default();
    let now = case.sysctls.somaxconn.unwrap_or_default().cast_unsigned();
    let severity = if case.overflows() > 0 { Severity::Warning } else { Severity::Note };
    let verdict = Verdict::new(
        Rule::ListenAgain,
        severity,
        format!("net.core.somaxconn was raised to {now}, but the listener still has its old limit {limit}"),
    )
    .words("asked", asked.cast_signed().to_string())
    .count("limit", limit)
    .count("somaxconn_then", case.listener.somaxconn.unwrap_or(limit))
    .count("somaxconn", now)
    .count("refused", case.overflows());
    let gets = u64::from(asked).min(now);
    let step =
        format!("restart the program, or have it call listen() again: then its limit is {gets}");
    Some(
        verdict.change([step]).avoid("raising somaxconn further: it is looked at only by listen()"),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnose::Rule;
    use crate::diagnose::made_up::World;

    fn says(asked: Option<u32>, somaxconn: i64) -> Option<String> {
        let mut world = World::with(&[], |listener| {
            (listener.asked, listener.somaxconn) = (asked, Some(128));
        });
        world.sysctls.somaxconn = Some(somaxconn);
        world.says(Rule::ListenAgain).map(|mut said| said.change.remove(0))
    }

    #[test]
    fn raised_too_late() {
        let step = says(Some(4096), 1024).unwrap();
        assert!(step.ends_with("its limit is 1024"), "{step}");
    }

    #[test]
    fn nearly() {
        assert_eq!(says(Some(4096), 128), None, "not raised: clamped");
        assert_eq!(says(Some(128), 1024), None, "the program asked for no more");
        assert_eq!(says(None, 1024), None, "nobody saw what it asked for");
    }
}
