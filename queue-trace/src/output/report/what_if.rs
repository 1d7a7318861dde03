//! Which backlog would have been enough.

use anyhow::Result;
use maud::{Markup, html};

use super::{Facts, charts};
use crate::model::Listener;
use crate::output::units::Time;
use crate::whatif::{Answer, Course, Faster, Outlook, answer};

/// The curve, the table and the answer; nothing where nobody came.
pub(super) fn section(facts: &Facts<'_>, listener: &Listener) -> Result<Markup> {
    let Some(course) = facts.courses.of(listener.id).filter(|course| !course.arrivals.is_empty())
    else {
        return Ok(html! {});
    };
    let answer = answer(&course, facts.end_ns());
    let curve = match answer.backlogs.len() {
        ..2 => html! {},
        _ => charts::what_if(&answer)?,
    };
    Ok(html! {
        section .what-if {
            h3 { "What if the backlog, or the server, had been another" }
            p { (conclusion(&course, &answer)) }
            (curve)
            div .scroll { table {
                thead { tr {
                    th { "with" } th .n { "refused clients" } th .n { "peak depth" }
                    th .n { "wait p50" } th .n { "wait p99" } th .n { "loses nothing with" }
                } }
                tbody {
                    @for (backlog, outlook) in &answer.backlogs {
                        (row(&format!("a backlog of {backlog}"), outlook, ""))
                    }
                    (row("no limit", &answer.unlimited, ""))
                    @for faster in &answer.faster {
                        (row(&name(faster, &course), &faster.outlook, &enough(faster)))
                    }
                }
            } }
            @if course.left_out > 0 {
                p .quiet { (course.left_out) " clients came beyond what is taken in." }
            }
        }
    })
}

fn conclusion(course: &Course, answer: &Answer) -> String {
    if answer.overrun {
        format!(
            "No backlog helps: connections were accepted more slowly than they came, and {} would still wait at \
             the end. Accept faster.",
            answer.unlimited.waiting
        )
    } else if answer.enough > u64::from(course.limit) {
        format!("A backlog of {} would have lost nothing.", answer.enough)
    } else {
        format!(
            "The limit of {} is enough: {} would have lost nothing.",
            course.limit, answer.enough
        )
    }
}

fn row(name: &str, outlook: &Outlook, enough: &str) -> Markup {
    let wait = |share| match outlook.waits.count() {
        0 => String::new(),
        _ => Time(outlook.waits.quantile(share)).to_string(),
    };
    html! {
        tr {
            th scope="row" { (name) } td .n { (outlook.refused) } td .n { (outlook.peak) }
            td .n { (wait(0.5)) } td .n { (wait(0.99)) } td .n { (enough) }
        }
    }
}

fn name(faster: &Faster, course: &Course) -> String {
    match faster.one_more_worker {
        true => format!("{} workers", course.workers.max(1) + 1),
        false => format!("accepting {} times as fast", faster.speed.times),
    }
}

fn enough(faster: &Faster) -> String {
    match faster.overrun {
        true => "no backlog".to_owned(),
        false => faster.enough.to_string(),
    }
}
