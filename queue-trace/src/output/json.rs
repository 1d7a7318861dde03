//! Events as JSON, one object a line. The field names are an interface: see README.

use std::io::Write as _;
use std::net::IpAddr;

use queue_trace_common::{Event, Outcome};

use super::clock::Clock;
use super::pieces;
use crate::model::{Listener, QueueEvent, Snapshot};

/// What stands before a value that is a number.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// Adds one event as one line.
///
/// By hand, not by serde: most of a line is the same each time, and needs no escaping.
pub fn write(out: &mut Vec<u8>, clock: &mut Clock, listener: &Listener, event: &QueueEvent) {
    out.extend_from_slice(b"{\"time\":\"");
    clock.show(out, event.time_ns);
    out.push(b'"');
    word(out, key!("event"), event.event().name());
    if let Some(reason) = event.outcome.reason() {
        word(out, key!("reason"), reason);
    }
    number(out, key!("listener"), listener.id);
    address(out, key!("address"), listener.address);
    number(out, key!("port"), listener.port);
    number(out, key!("netns"), listener.netns);
    if let Some(client) = event.client {
        address(out, key!("client_address"), client.ip());
        number(out, key!("client_port"), client.port());
    }
    number(out, key!("accept_depth"), event.accept_depth);
    number(out, key!("syn_depth"), event.syn_depth);
    number(out, key!("limit"), event.limit);
    details(out, listener, event);
    if let Some(process) = &event.process {
        number(out, key!("pid"), process.pid);
        text(out, key!("comm"), &process.name());
    }
    out.extend_from_slice(b"}\n");
}

/// Adds a line for each kind of record that was counted but not streamed: how many were thinned, and how many
/// found no room.
pub fn write_left_out(out: &mut Vec<u8>, clock: &mut Clock, snapshot: &Snapshot) {
    let of = |list: &[(Outcome, u64)], outcome| {
        list.iter().find(|(kind, _)| *kind == outcome).map_or(0, |(_, count)| *count)
    };
    for outcome in Outcome::ALL {
        let (thinned, shed) = (of(&snapshot.thinned, *outcome), of(&snapshot.shed, *outcome));
        if thinned + shed == 0 {
            continue;
        }
        out.extend_from_slice(b"{\"time\":\"");
        clock.show(out, snapshot.time_ns);
        out.push(b'"');
        word(out, key!("event"), "not_streamed");
        word(out, key!("of"), outcome.event().name());
        if let Some(reason) = outcome.reason() {
            word(out, key!("reason"), reason);
        }
        number(out, key!("thinned"), thinned);
        number(out, key!("shed"), shed);
        out.extend_from_slice(b"}\n");
    }
}

/// What only some events have.
fn details(out: &mut Vec<u8>, listener: &Listener, event: &QueueEvent) {
    match event.event() {
        Event::Accept | Event::Abandoned => maybe(out, key!("wait_ns"), event.duration_ns),
        Event::Established => {
            maybe(out, key!("handshake_ns"), event.duration_ns);
            number(out, key!("data_bytes"), event.detail);
        }
        Event::AckRefused => number(out, key!("data_bytes"), event.detail),
        Event::SynackRetransmit => number(out, key!("retransmit"), event.detail),
        Event::RequestExpired => {
            maybe(out, key!("age_ns"), event.duration_ns);
            number(out, key!("retransmit"), event.resent());
            out.extend_from_slice(key!("acked").as_bytes());
            out.extend_from_slice(if event.acked() { b"true" } else { b"false" });
        }
        Event::Listen | Event::BacklogChanged => {
            maybe(out, key!("asked_backlog"), listener.asked);
            maybe(out, key!("somaxconn"), listener.somaxconn);
            if event.outcome == Outcome::BacklogChanged {
                number(out, key!("former_limit"), event.detail);
            }
        }
        Event::AcceptFailed => number(out, key!("errno"), event.detail),
        _ => {}
    }
}

fn number(out: &mut Vec<u8>, key: &str, number: impl itoa::Integer) {
    out.extend_from_slice(key.as_bytes());
    pieces::number(out, number);
}

fn maybe(out: &mut Vec<u8>, key: &str, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        number(out, key, value);
    }
}

fn address(out: &mut Vec<u8>, key: &str, address: IpAddr) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    pieces::address(out, address);
    out.push(b'"');
}

/// One of our own words, in which there is nothing to escape.
fn word(out: &mut Vec<u8>, key: &str, word: &str) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// What others have written.
fn text(out: &mut Vec<u8>, key: &str, text: &str) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            // Writing to memory cannot fail.
            ..0x20 => drop(write!(out, "\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
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
        write_left_out(&mut out, &mut clock, &sample::snapshot());
        golden::check("output/events.jsonl", &out);
    }

    #[test]
    fn text_is_escaped_as_serde_json_does() {
        let every: String = (0..0x180).filter_map(char::from_u32).collect();
        let mut out = Vec::new();
        text(&mut out, "", &every);
        assert_eq!(out, serde_json::to_vec(&every).unwrap());
    }
}
