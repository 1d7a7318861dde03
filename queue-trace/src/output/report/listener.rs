//! One listener.

use anyhow::Result;
use maud::{Markup, html};

use super::{Facts, charts, overview, tables, victims, what_if};
use crate::diagnose::{Diagnosis, Verdict, explain};
use crate::model::{Listener, Origin, Totals, Trail};
use crate::output::units::Time;
use crate::output::{owners, verdicts};

/// Its verdicts, charts and tables.
pub(super) fn article(
    facts: &Facts<'_>,
    number: usize,
    diagnosis: &Diagnosis,
    listener: &Listener,
    totals: &Totals,
) -> Result<Markup> {
    let trail = facts.trails.of(listener.id, facts.end_ns());
    let charts = match &trail {
        Some((trail, origin)) => over_time(trail, *origin)?,
        None => html! { p .quiet { "Nothing of it over time was kept." } },
    };
    let owner = owners::label(&listener.owners).unwrap_or_else(|| "owner unknown".to_owned());
    let what_if = what_if::section(facts, listener)?;
    Ok(html! {
        article id={ "listener-" (number) } {
            h2 { (listener.name()) @if listener.closed { " (closed)" } }
            p .quiet { (owner) ", namespace " (facts.snapshot.namespace(listener.netns)) }
            (verdict(&diagnosis.main))
            p .limit { (explain(listener, &facts.census.settings_of(listener.netns))) "." }
            @for remark in &diagnosis.remarks { (verdict(remark)) }
            (charts)
            div .columns {
                (tables::reasons(totals))
                (victims::section(facts, listener, totals))
            }
            (what_if)
            @if let Some((trail, _)) = &trail { (tables::figures(trail)) }
        }
    })
}

/// What a rule says, what that rests on, and what to do.
fn verdict(verdict: &Verdict) -> Markup {
    html! {
        section class={ "verdict " (verdict.severity.name()) } {
            h3 { (overview::badge(verdict)) " " (verdict.story) "." }
            @if !verdict.evidence.is_empty() {
                ul .evidence { @for evidence in &verdict.evidence { li { (verdicts::shown(evidence)) } } }
            }
            @if !verdict.change.is_empty() {
                p { "What to change:" }
                ol { @for step in &verdict.change { li { code { (step) } } } }
            }
            @if !verdict.avoid.is_empty() { p { "What not to do: " (verdict.avoid) "." } }
        }
    }
}

fn over_time(trail: &Trail, origin: Origin) -> Result<Markup> {
    let (depth, rates, waits) =
        (charts::depth(trail)?, charts::rates(trail)?, charts::waits(trail)?);
    let length = Time(trail.length_ns());
    Ok(html! {
        (depth) (rates)
        @if let Some(waits) = waits { (waits) }
        p .quiet {
            @match origin {
                Origin::Records => "From the records, none of which is missing",
                Origin::Counters => "From what the kernel side counted, because not every event has a record",
            }
            "; a point is " (length)
            @if trail.is_coarser() { ", longer than what was seen, so that the page stays small" }
            "."
        }
    })
}
