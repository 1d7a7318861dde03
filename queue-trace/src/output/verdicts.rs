//! Verdicts as people read them.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::text::printable;
use super::units::Time;
use crate::diagnose::{Diagnosis, Evidence, Rule, Severity, Value, Verdict};
use crate::model::Listener;

/// Listeners that are fine and more than so many are only counted.
const FINE: usize = 20;

/// Writes them, the worst first; `explain` says why a listener's limit is what it is.
///
/// # Errors
///
/// When `out` cannot be written to.
pub(super) fn write<'a>(
    out: &mut impl Write,
    all: &[Diagnosis],
    listener: impl Fn(usize) -> Option<&'a Listener>,
    explain: impl Fn(&Listener) -> String,
) -> io::Result<()> {
    let mut fine = Vec::new();
    for diagnosis in all {
        let Some(listener) = listener(diagnosis.listener) else { continue };
        if diagnosis.main.rule == Rule::Healthy {
            fine.push(listener);
            continue;
        }
        writeln!(out, "\n{}", heading(listener))?;
        write_verdict(out, &diagnosis.main)?;
        writeln!(out, "  {:<10}{}", "limit", explain(listener))?;
        for remark in &diagnosis.remarks {
            let Verdict { severity, rule, story, .. } = remark;
            let said = format!("{} {}: {story}", severity.name(), rule.name());
            writeln!(out, "  {:<10}{said}", "also")?;
        }
    }
    if fine.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nnothing is wrong with")?;
    for listener in fine.iter().take(FINE) {
        writeln!(out, "  {}: {}", heading(listener), explain(listener))?;
    }
    match fine.len().saturating_sub(FINE) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn heading(listener: &Listener) -> String {
    let owners: Vec<_> =
        listener.owners.iter().map(|p| format!("{} ({})", printable(&p.comm), p.pid)).collect();
    let owners = if owners.is_empty() { "owner unknown".to_owned() } else { owners.join(", ") };
    let closed = if listener.closed { ", closed" } else { "" };
    format!("{}  {owners}, namespace {}{closed}", listener.name(), listener.netns)
}

fn write_verdict(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    writeln!(out, "  {}", line(verdict))?;
    writeln!(out, "  {:<10}{}", "evidence", evidence(verdict))?;
    for (number, step) in verdict.change.iter().enumerate() {
        writeln!(out, "  {:<10}{step}", if number == 0 { "change" } else { "" })?;
    }
    match verdict.avoid {
        "" => Ok(()),
        avoid => writeln!(out, "  {:<10}{avoid}", "avoid"),
    }
}

/// A verdict in one line.
pub(super) fn line(verdict: &Verdict) -> String {
    let Verdict { severity, rule, story, .. } = verdict;
    match severity {
        Severity::Fine => rule.name().to_owned(),
        _ => format!("{} {}: {story}", severity.name().to_uppercase(), rule.name()),
    }
}

/// What a verdict rests on.
pub(super) fn evidence(verdict: &Verdict) -> String {
    verdict.evidence.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A figure or word of evidence with its name.
pub(super) fn shown(evidence: &Evidence) -> String {
    let name = evidence.name.strip_suffix("_ns").unwrap_or(evidence.name).replace('_', " ");
    let mut text = name;
    // Writing to memory cannot fail.
    let _ = match &evidence.value {
        Value::Count(count) => write!(text, " {count}"),
        Value::Time(nanoseconds) => write!(text, " {}", Time(*nanoseconds)),
        Value::Share(share) => write!(text, " {:.0} %", share * 100.0),
        Value::Words(words) => write!(text, " {}", printable(words)),
    };
    text
}
