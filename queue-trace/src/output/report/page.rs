//! The page around everything.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use queue_trace_common::Event;

use super::{Facts, environment, listener, overview, story};
use crate::output::units::Time;

/// More listeners than this are in the table only: the file is to stay small.
const TOLD: usize = 6;

/// Nothing may be loaded and nothing may run, whatever got in here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The whole page.
///
/// # Errors
///
/// When a chart cannot be drawn.
pub fn page(facts: &Facts<'_>) -> Result<String> {
    let header = facts.header;
    let host = &header.host;
    let listeners = listeners(facts)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "queue-trace: " (host) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    h1 { "TCP listen queues of " (host) }
                    p .quiet {
                        (format!("{:.0}", facts.began())) ", for " (Time(facts.watched_ns())) " · Linux "
                        (header.kernel) " · queue-trace " (header.program)
                    }
                }
                main {
                    section #story {
                        h2 { "What happened" }
                        @for paragraph in story::paragraphs(facts) { p .story { (paragraph) } }
                    }
                    (overview::table(facts))
                    (listeners)
                    (environment::section(facts))
                }
                footer .quiet { "Made by queue-trace " (env!("CARGO_PKG_VERSION")) ". Times are UTC." }
            }
        }
    };
    Ok(page.into_string())
}

/// Those in trouble, and one at which most happened where there is none.
fn listeners(facts: &Facts<'_>) -> Result<Markup> {
    let mut told: Vec<_> = facts.troubled().take(TOLD).collect();
    if told.is_empty() {
        let busy = facts.judged().filter(|(_, _, totals)| !totals.is_empty());
        told.extend(busy.max_by_key(|(_, _, totals)| totals.of_event(Event::Accept)));
    }
    let told = told.iter().enumerate().map(|(number, (diagnosis, listener, totals))| {
        listener::article(facts, number + 1, diagnosis, listener, totals)
    });
    let told: Vec<_> = told.collect::<Result<_>>()?;
    let more = facts.troubled().count().saturating_sub(TOLD);
    Ok(html! {
        @for article in told { (article) }
        @if more > 0 {
            p .quiet { (more) " more listeners in trouble are in the table above only." }
        }
    })
}
