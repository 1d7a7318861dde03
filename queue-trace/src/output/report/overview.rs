//! All listeners in a table, the worst first.

use maud::{Markup, html};
use queue_trace_common::Event;

use super::Facts;
use crate::diagnose::Verdict;
use crate::output::owners;
use crate::output::units::Within;

/// More listeners than this are only counted.
const ROWS: usize = 50;

/// The table.
pub(super) fn table(facts: &Facts<'_>) -> Markup {
    let all = facts.judged().count();
    let active: Vec<_> = facts.judged().filter(|(_, _, totals)| !totals.is_empty()).collect();
    html! {
        section #listeners {
            h2 { "Listeners" }
            div .scroll {
                table {
                    thead { tr {
                        th { "listener" } th { "verdict" } th { "owner" } th .n { "peak / limit" }
                        th .n { "accepted" } th .n { "refused" } th .n { "wait p99" }
                    } }
                    tbody { @for (diagnosis, listener, totals) in active.iter().take(ROWS) { tr {
                        th scope="row" { (listener.name()) @if listener.closed { " (closed)" } }
                        td { (badge(&diagnosis.main)) }
                        td { (owners::label(&listener.owners).unwrap_or_else(|| "unknown".to_owned())) }
                        td .n { (totals.accept_peak) " / " (listener.limit) }
                        td .n { (totals.of_event(Event::Accept)) }
                        td .n { (totals.of_event(Event::SynRefused) + totals.of_event(Event::AckRefused)) }
                        td .n { @if totals.waits.count() > 0 { (Within(&totals.waits, 0.99)) } }
                    } } }
                }
            }
            @if active.len() > ROWS { p .quiet { (active.len() - ROWS) " more had events." } }
            @if all > active.len() { p .quiet { (all - active.len()) " had none." } }
        }
    }
}

/// A verdict in a word, with how bad it is.
pub(super) fn badge(verdict: &Verdict) -> Markup {
    html! {
        span class={ "badge " (verdict.severity.name()) } {
            (verdict.rule.name().replace('_', " "))
        }
    }
}
