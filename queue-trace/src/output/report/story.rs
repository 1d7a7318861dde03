//! What happened, in a paragraph.

use queue_trace_common::Event;

use super::Facts;
use crate::diagnose::Diagnosis;
use crate::model::{Balance, Listener, Paid, RETRIES, Totals};
use crate::output::owners;
use crate::output::text::printable;
use crate::output::units::Time;
use crate::whatif::answer;

/// The story: of the worst listener, and of what else there is.
pub(super) fn paragraphs(facts: &Facts<'_>) -> Vec<String> {
    let watched = Time(facts.watched_ns());
    let mut told = Vec::new();
    match facts.troubled().next() {
        Some((diagnosis, listener, totals)) => {
            told.push(worst(facts, diagnosis, listener, totals));
            let others = facts.troubled().count() - 1;
            if others > 0 {
                let more = counted(others as u64, "more listener is", "more listeners are");
                told.push(format!("{more} worth a look: see below."));
            }
        }
        None => {
            let all = facts.judged().count();
            told.push(format!(
                "Nothing is wrong with {} watched for {watched}.",
                match all {
                    0 => "any listener: none was there while it was".to_owned(),
                    1 => "the one listener that was".to_owned(),
                    all => format!("any of the {all} listeners that were"),
                }
            ));
        }
    }
    told.extend(books(&facts.snapshot.books));
    told
}

fn worst(facts: &Facts<'_>, diagnosis: &Diagnosis, listener: &Listener, totals: &Totals) -> String {
    let owner = owners::label(&listener.owners).unwrap_or_else(|| "an unknown process".to_owned());
    let verdict = printable(&diagnosis.main.story);
    let mut story = format!("{} of {owner}: {verdict}.", listener.name());
    story.push_str(&queue(facts, listener, totals));
    story.push_str(&refused(totals));
    story.push_str(&hurt(&facts.observed.paid(listener.id, totals, facts.snapshot)));
    if let Some(course) = facts.courses.of(listener.id)
        && course.refused > 0
    {
        let answer = answer(&course, facts.end_ns());
        story.push_str(&if answer.overrun {
            " No backlog would have helped: connections came faster than they were accepted."
                .to_owned()
        } else {
            format!(" A backlog of {} would have lost nothing.", answer.enough)
        });
    }
    story
}

fn queue(facts: &Facts<'_>, listener: &Listener, totals: &Totals) -> String {
    let (peak, limit) = (totals.accept_peak, listener.limit);
    let mut told = format!(" Its accept queue reached {peak} with a limit of {limit}");
    if totals.accept_full_ns > 0 {
        let share = totals.accept_full_ns as f64 / facts.watched_ns().max(1) as f64;
        let share = match share.min(1.0) * 100.0 {
            ..1.0 => "less than 1 %".to_owned(),
            share => format!("{share:.0} %"),
        };
        told.push_str(&format!(
            " and was full for {}, {share} of the time",
            Time(totals.accept_full_ns)
        ));
    }
    told + "."
}

fn refused(totals: &Totals) -> String {
    let (syns, acks) = (totals.of_event(Event::SynRefused), totals.of_event(Event::AckRefused));
    if syns + acks == 0 {
        return " Nothing was refused.".to_owned();
    }
    let kinds = [(syns, "SYN", "SYNs"), (acks, "final ACK", "final ACKs")];
    let kinds = kinds.into_iter().filter(|(count, ..)| *count > 0);
    let kinds: Vec<_> = kinds.map(|(count, one, many)| counted(count, one, many)).collect();
    format!(
        " Refused: {}; accepted: {}.",
        kinds.join(" and "),
        counted(totals.of_event(Event::Accept), "connection", "connections")
    )
}

/// Whom it hurt.
fn hurt(paid: &Paid) -> String {
    if *paid == Paid::default() {
        return String::new();
    }
    let longest = RETRIES.iter().zip(paid.delayed).rev().find(|(_, count)| *count > 0);
    let longest =
        longest.map_or_else(String::new, |(seconds, _)| format!(", up to about {seconds} s"));
    let mut told = format!(
        " {} got in late{longest}; {} never did",
        counted(paid.late(), "client", "clients"),
        paid.never()
    );
    if paid.trying > 0 {
        told.push_str(&format!("; {} may still be trying", paid.trying));
    }
    told + "."
}

/// Whether all of this can be believed.
fn books(books: &[Balance]) -> Option<String> {
    let odd = books.iter().filter(|balance| !balance.even()).count();
    match (books.len(), odd) {
        (0, _) => None,
        (_, 0) => Some("All of it agrees with the kernel's own counters.".to_owned()),
        (all, odd) => Some(format!(
            "The books do not balance in {odd} of {all} namespaces: see below by how much."
        )),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
