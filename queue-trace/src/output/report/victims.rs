//! Who was hurt, and for how long.

use maud::{Markup, html};

use super::{Facts, tables};
use crate::model::{Listener, Paid, RETRIES, Totals};
use crate::output::units::Time;

/// More addresses than this are only counted.
const ADDRESSES: usize = 10;

/// How long refused clients waited to get in, and who they are.
pub(super) fn section(facts: &Facts<'_>, listener: &Listener, totals: &Totals) -> Markup {
    let paid = facts.observed.paid(listener.id, totals, facts.snapshot);
    html! {
        section .victims {
            h3 { "Who was hurt, and for how long" }
            @if paid == Paid::default() { p { "No client was seen to be refused." } } @else {
                (delays(&paid)) (clients(facts, listener)) (unknown(&paid))
            }
        }
    }
}

fn delays(paid: &Paid) -> Markup {
    let all = (paid.late() + paid.never() + paid.trying).max(1);
    let mut rows = vec![("got in within half a second".to_owned(), paid.briefly)];
    let late = RETRIES.iter().zip(paid.delayed);
    rows.extend(late.map(|(seconds, count)| (format!("got in after about {seconds} s"), count)));
    rows.push(("was reset, or given up by the kernel".to_owned(), paid.reset));
    rows.push(("did not come back".to_owned(), paid.lost));
    rows.push(("may still be trying".to_owned(), paid.trying));
    html! {
        table {
            thead { tr { th { "a refused client" } th .n { "clients" } th { "share" } } }
            tbody { @for (what, count) in rows.iter().filter(|(_, count)| *count > 0) { tr {
                th scope="row" { (what) } td .n { (count) }
                td .share { (tables::bar(*count as f64 / all as f64)) }
            } } }
        }
    }
}

fn clients(facts: &Facts<'_>, listener: &Listener) -> Markup {
    let all = facts.victims.of(listener.id);
    let more = all.len().saturating_sub(ADDRESSES);
    let beyond = facts.victims.beyond(listener.id);
    html! {
        div .scroll { table {
            thead { tr {
                th { "address" } th .n { "refusals" } th .n { "got in late" } th .n { "after at most" }
            } }
            tbody { @for (address, victim) in all.iter().take(ADDRESSES) { tr {
                th scope="row" { (address) } td .n { (victim.refusals) } td .n { (victim.late) }
                td .n { @if victim.late > 0 { (Time(victim.longest_ns)) } }
            } } }
        } }
        @if more > 0 { p .quiet { (more) " more addresses were refused." } }
        @if beyond > 0 { p .quiet { (beyond) " refusals were of addresses that are not told apart." } }
    }
}

/// What of this is not known.
fn unknown(paid: &Paid) -> Markup {
    let told = [
        (
            paid.unfollowed,
            "refusals could not be followed, because too many clients were followed already",
        ),
        (paid.unseen_refusals, "refusals have no record, so nobody knows whose they were"),
        (paid.unseen_entries, "of these may have got in: their records are missing"),
    ];
    html! { @for (count, what) in told { @if count > 0 { p .quiet { (count) " " (what) "." } } } }
}
