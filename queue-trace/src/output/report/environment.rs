//! Where it happened, how it was watched, and whether that can be believed.

use maud::{Markup, html};
use queue_trace_common::Outcome;

use super::Facts;
use crate::model::{Balance, Line};
use crate::source::Contents;

/// More namespaces than this are not told of.
const NAMESPACES: usize = 5;

/// Everything around the listeners.
pub(super) fn section(facts: &Facts<'_>) -> Markup {
    let header = facts.header;
    let snapshot = facts.snapshot;
    let begin = format!("{:.3}", facts.began());
    let rows = [
        ("host", header.host.clone()),
        ("kernel", header.kernel.clone()),
        ("began", begin),
        ("watched by", format!("{} hooks ({})", header.hooks, header.means.tier)),
        ("listeners at the start", header.means.listeners.to_string()),
        ("recording", facts.recording.unwrap_or("none: it was seen live").to_owned()),
    ];
    html! {
        section #environment {
            h2 { "Environment" }
            table .facts { tbody { @for (name, value) in &rows { tr { th scope="row" { (name) } td { (value) } } } } }
            (settings(facts))
            (notes(facts))
            (missing("records found no room and are not in the charts from records", &snapshot.shed))
            (missing("records were left out because their reader did not keep up", &snapshot.thinned))
            (missing("outcomes disagree with the kernel's own counters", &snapshot.contradicted))
            @if snapshot.missed > 0 {
                p { (snapshot.missed) " calls of our probes were skipped by the kernel: counts can be too low." }
            }
            @for balance in &snapshot.books { (books(balance)) }
        }
    }
}

fn settings(facts: &Facts<'_>) -> Markup {
    // Only where something was: there may be a namespace for each of a thousand containers.
    let concerned = |contents: &&Contents| {
        let inode = contents.namespace.inode;
        facts.troubled().any(|(_, listener, _)| u64::from(listener.netns) == inode)
    };
    let all = facts.census.namespaces.iter().filter(concerned);
    html! {
        @for contents in all.take(NAMESPACES) {
            h3 { "Settings of namespace " (facts.snapshot.namespace(contents.namespace.inode as u32)) }
            table .facts { tbody { @for (name, value) in contents.sysctls.entries() { tr {
                th scope="row" { (name) }
                td .n { @match value { Some(value) => (value), None => "not there" } }
            } } } }
        }
    }
}

fn notes(facts: &Facts<'_>) -> Markup {
    let header = facts.header;
    html! {
        @if !header.means.losses.is_empty() {
            p { "Not visible on that kernel:" }
            ul { @for loss in &header.means.losses { li { (loss) } } }
        }
        @if !header.means.uncounted.is_empty() {
            p { "So these are not in the books: " (header.means.uncounted.join(", ")) "." }
        }
        @if !header.means.notes.is_empty() { ul { @for note in &header.means.notes { li { (note) } } } }
    }
}

fn missing(what: &str, counts: &[(Outcome, u64)]) -> Markup {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    html! { @if all > 0 { p { (all) " " (what) ". The counts in the tables are complete." } } }
}

fn books(balance: &Balance) -> Markup {
    let moved = |line: &&Line| line.kernel != 0 || line.ours != 0;
    let lines: Vec<_> = balance.lines.iter().filter(moved).collect();
    html! {
        @if !lines.is_empty() {
            h3 {
                "Namespace " (balance.netns) ": "
                @if balance.even() { "the books balance" } @else { "the books do not balance" }
            }
            div .scroll { table {
                thead { tr {
                    th { "the kernel's counter" } th .n { "kernel" } th .n { "listeners" } th .n { "difference" }
                } }
                tbody { @for line in &lines { tr {
                    th scope="row" { (line.counter) } td .n { (line.kernel) } td .n { (line.ours) }
                    td .n { (line.difference()) }
                } } }
            } }
        }
    }
}
