//! `somaxconn` cuts the backlog that the program asks for.

use crate::diagnose::case::Case;
use crate::diagnose::{Rule, Severity, Verdict};

/// The backlog that was asked for and not granted, and that would not be granted now.
fn wish(case: &Case<'_>) -> Option<u64> {
    let limit = case.listener.limit;
    let asked = case.listener.asked.filter(|asked| *asked > limit)?;
    let now = case.sysctls.somaxconn.filter(|now| *now <= i64::from(limit));
    // -1 and the like ask for what there is, and get it: cut only if that is too little.
    match asked.cast_signed() {
        ..0 => now.filter(|_| case.overflows() > 0).map(|_| case.enough_backlog()),
        _ => now.map(|_| u64::from(asked)),
    }
}

pub(super) fn judge(case: &Case<'_>) -> Option<Verdict> {
    let wish = wish(case)?;
    let limit = case.listener.limit;
    let asked = case.listener.asked.unwrap_or_default().cast_signed();
    let severity = if case.overflows() > 0 { Severity::Warning } else { Severity::Note };
    let verdict = Verdict::new(
        Rule::BacklogClamped,
        severity,
        format!(
            "the program asked for a backlog of {asked} and got {limit}: net.core.somaxconn cuts it"
        ),
    )
    .words("asked", asked.to_string())
    .count("limit", limit)
    .count("somaxconn", case.sysctls.somaxconn.unwrap_or_default().cast_unsigned())
    .count("peak", case.totals.accept_peak)
    .count("refused", case.overflows());
    let steps = [
        case.sysctl("net.core.somaxconn", wish),
        "restart the program, or have it call listen() again: what it has stays as it is"
            .to_owned(),
    ];
    Some(
        verdict
            .change(steps)
            .avoid("raising the backlog in the program: somaxconn would cut that too"),
    )
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use crate::diagnose::made_up::World;
    use crate::diagnose::{Rule, Severity, Verdict};

    fn says(asked: u32, somaxconn: i64, refused: u64) -> Option<Verdict> {
        let mut world = World::with(&[(Outcome::SynAcceptQueueFull, refused)], |listener| {
            (listener.asked, listener.somaxconn) = (Some(asked), Some(128));
        });
        world.sysctls.somaxconn = Some(somaxconn);
        world.says(Rule::BacklogClamped)
    }

    #[test]
    fn more_asked_than_granted() {
        let said = says(511, 128, 0).unwrap();
        assert_eq!(said.severity, Severity::Note);
        assert_eq!(said.change[0], "sysctl -w net.core.somaxconn=511");
        assert_eq!(says(511, 128, 1).unwrap().severity, Severity::Warning);
        let most = says(u32::MAX, 128, 100).unwrap();
        assert_eq!(most.change[0], "sysctl -w net.core.somaxconn=256");
    }

    #[test]
    fn nearly() {
        assert_eq!(says(128, 128, 1), None, "all of it was granted");
        assert_eq!(says(511, 511, 1), None, "it would be granted now");
        assert_eq!(says(u32::MAX, 128, 0), None, "as much as there is, and it is enough");
    }
}
