//! Events as lines for people.

use std::borrow::Cow;
use std::io::Write as _;

use queue_trace_common::{Event, Outcome};

use super::clock::Clock;
use super::pieces;
use super::units::Time;
use crate::model::{Listener, QueueEvent};

/// Adds one event as one line: time, event, listener, client, both queues, what else is known.
pub fn write(out: &mut Vec<u8>, clock: &mut Clock, listener: &Listener, event: &QueueEvent) {
    let start = out.len();
    clock.show(out, event.time_ns);
    pieces::right(out, start, 12);
    column(out, 17, |out| out.extend_from_slice(event.event().name().as_bytes()));
    column(out, 21, |out| match listener.socket() {
        Some(socket) => pieces::socket(out, socket),
        None => out.extend_from_slice(Listener::OTHERS.as_bytes()),
    });
    column(out, 21, |out| event.client.into_iter().for_each(|client| pieces::socket(out, client)));
    out.extend_from_slice(b"  accept ");
    pieces::number(out, event.accept_depth);
    out.push(b'/');
    pieces::number(out, event.limit);
    out.extend_from_slice(b"  syn ");
    pieces::number(out, event.syn_depth);
    details(out, event);
    out.push(b'\n');
}

/// Adds something that stands left in its width.
fn column(out: &mut Vec<u8>, width: usize, add: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"  ");
    let start = out.len();
    add(out);
    pieces::left(out, start, width);
}

/// Adds what only some events have.
fn details(out: &mut Vec<u8>, event: &QueueEvent) {
    // Writing to memory cannot fail.
    if let Some(reason) = event.outcome.reason() {
        out.extend_from_slice(b"  ");
        out.extend_from_slice(reason.as_bytes());
    }
    if let Some(ns) = event.duration_ns {
        let _ = write!(out, "  {} {}", duration_name(event.event()), Time(ns));
    }
    match event.outcome {
        Outcome::SynackRetransmit | Outcome::SynackUnsendable => {
            let _ = write!(out, "  number {}", event.detail);
        }
        Outcome::BacklogChanged => {
            let _ = write!(out, "  limit {} -> {}", event.detail, event.limit);
        }
        outcome if outcome.event() == Event::AckRefused && event.detail > 0 => {
            let _ = write!(out, "  with {} bytes of data", event.detail);
        }
        outcome if outcome.event() == Event::RequestExpired => {
            let refused = if event.acked() { ", its ACK was refused" } else { "" };
            let _ = write!(out, "  {} SYN-ACKs resent{refused}", event.resent());
        }
        Outcome::AcceptOther => {
            let _ = write!(out, "  errno {}", event.detail);
        }
        _ => {}
    }
    if let Some(process) = &event.process {
        let _ = write!(out, "  by {} ({})", printable(&process.name()), process.pid);
    }
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
pub(crate) fn printable(comm: &str) -> Cow<'_, str> {
    if comm.contains(char::is_control) {
        comm.replace(char::is_control, "?").into()
    } else {
        comm.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{golden, sample};

    #[test]
    fn every_event_looks_as_agreed() {
        let (mut out, mut clock) = (Vec::new(), sample::clock(false));
        for event in sample::events() {
            write(&mut out, &mut clock, &sample::listener(), &event);
        }
        golden::check("output/events.txt", &out);
    }
}
