//! What was counted, in tables.

use maud::{Markup, html};
use queue_trace_common::{Event, below_ns};

use crate::model::{Totals, Trail};
use crate::output::units::Time;

/// More rows than this are put together.
const ROWS: usize = 30;

/// What became of every SYN and every final ACK, and why.
pub(super) fn reasons(totals: &Totals) -> Markup {
    let refused = [Event::SynRefused, Event::AckRefused];
    let all: u64 = refused.map(|event| totals.of_event(event)).iter().sum();
    let counted = refused.into_iter().flat_map(|event| totals.by_reason(event));
    let others = Event::ALL.into_iter().filter(|event| !refused.contains(event));
    let others =
        others.map(|event| (event, totals.of_event(event))).filter(|(_, count)| *count > 0);
    html! {
        section .reasons {
            h3 { "Refusals by reason" }
            @if all == 0 { p { "Nothing was refused." } } @else {
                table {
                    thead { tr { th { "reason" } th { "stage" } th .n { "refused" } th { "share" } } }
                    tbody { @for (outcome, count) in counted { tr {
                        th scope="row" { (outcome.reason().unwrap_or("unknown").replace('_', " ")) }
                        td { @if outcome.event() == Event::SynRefused { "SYN" } @else { "final ACK" } }
                        td .n { (count) }
                        td .share { (bar(count as f64 / all as f64)) }
                    } } }
                }
            }
            h3 { "Everything else" }
            table {
                thead { tr { th { "event" } th .n { "times" } } }
                tbody { @for (event, count) in others { tr {
                    th scope="row" { (event.name()) } td .n { (count) }
                } } }
            }
        }
    }
}

/// A share as a bar and as a number.
pub(super) fn bar(share: f64) -> Markup {
    let percent = format!("{:.0} %", share * 100.0);
    html! {
        span .bar { span .filled style={ "width:" (format!("{:.1}", share * 100.0)) "%" } {} }
        " " (percent)
    }
}

/// The figures behind the charts.
pub(super) fn figures(trail: &Trail) -> Markup {
    let trail = trail.with_at_most(ROWS);
    let length_ns = trail.length_ns();
    html! {
        details {
            summary { "The figures behind these charts, by " (Time(length_ns)) }
            div .scroll {
                table {
                    thead { tr {
                        th { "from" } th .n { "limit" } th .n { "peak depth" } th .n { "SYNs" }
                        th .n { "entered" } th .n { "accepted" } th .n { "refused" } th .n { "wait p50" }
                        th .n { "wait p99" }
                    } }
                    tbody { @for (number, stretch) in (0..).zip(trail.stretches()) { tr {
                        th scope="row" { (Time(number * length_ns)) }
                        td .n { @if stretch.limit > 0 { (stretch.limit) } }
                        td .n { (stretch.accept_peak) } td .n { (stretch.syns) }
                        td .n { (stretch.established) } td .n { (stretch.accepts) }
                        td .n { (stretch.refused) }
                        @for share in [0.5, 0.99] { td .n { (wait(stretch.wait_quantile(share))) } }
                    } } }
                }
            }
        }
    }
}

fn wait(bucket: Option<u8>) -> String {
    let Some(bucket) = bucket else { return String::new() };
    match below_ns(bucket.into()) {
        Some(end) => format!("<{}", Time(end)),
        None => "over 17 min".to_owned(),
    }
}
