//! Events as lines for people.

use std::fmt::Write as _;
use std::io::{self, Write};

use queue_trace_common::{Event, Outcome};

use super::clock::Clock;
use super::units::Time;
use crate::model::{Listener, QueueEvent};

/// Writes one event as one line: time, event, listener, client, both queues, what else is known.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    clock: &Clock,
    listener: &Listener,
    event: &QueueEvent,
) -> io::Result<()> {
    let client = event.client.map(|client| client.to_string()).unwrap_or_default();
    write!(
        out,
        "{}  {:<17}  {:<21}  {:<21}  accept {}/{}  syn {}",
        clock.show(event.time_ns),
        event.event().name(),
        listener.name(),
        client,
        event.accept_depth,
        event.limit,
        event.syn_depth,
    )?;
    writeln!(out, "{}", details(event))
}

/// What only some events have.
fn details(event: &QueueEvent) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(reason) = event.outcome.reason() {
        let _ = write!(text, "  {reason}");
    }
    if let Some(ns) = event.duration_ns {
        let _ = write!(text, "  {} {}", duration_name(event.event()), Time(ns));
    }
    match event.outcome {
        Outcome::SynackRetransmit | Outcome::SynackUnsendable => {
            let _ = write!(text, "  number {}", event.detail);
        }
        Outcome::BacklogChanged => {
            let _ = write!(text, "  limit {} -> {}", event.detail, event.limit);
        }
        outcome if outcome.event() == Event::AckRefused && event.detail > 0 => {
            let _ = write!(text, "  with {} bytes of data", event.detail);
        }
        outcome if outcome.event() == Event::RequestExpired => {
            let refused = if event.acked() { ", its ACK was refused" } else { "" };
            let _ = write!(text, "  {} SYN-ACKs resent{refused}", event.resent());
        }
        Outcome::AcceptOther => {
            let _ = write!(text, "  errno {}", event.detail);
        }
        _ => {}
    }
    if let Some(process) = &event.process {
        let _ = write!(text, "  by {} ({})", printable(&process.comm), process.pid);
    }
    text
}

/// What the duration of an event is called.
pub(super) fn duration_name(event: Event) -> &'static str {
    match event {
        Event::Accept | Event::Abandoned => "wait",
        Event::RequestExpired => "age",
        _ => "handshake",
    }
}

/// A process name without control characters, which it may contain and a terminal may obey.
pub(super) fn printable(comm: &str) -> String {
    comm.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{golden, sample};

    #[test]
    fn every_event_looks_as_agreed() {
        let mut out = Vec::new();
        for event in sample::events() {
            write(&mut out, &sample::clock(false), &sample::listener(), &event).unwrap();
        }
        golden::check("output/events.txt", &out);
    }
}
