//! Events as JSON, one object a line. The field names are an interface: see README.

use std::io::{self, Write};
use std::net::IpAddr;

use queue_trace_common::{Event, Outcome};
use serde::Serialize;

use super::clock::Clock;
use crate::model::{Listener, QueueEvent};

#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    listener: u32,
    address: IpAddr,
    port: u16,
    netns: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_port: Option<u16>,
    accept_depth: u32,
    syn_depth: u32,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retransmit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_backlog: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    somaxconn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    former_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comm: Option<&'a str>,
}

/// Writes one event as one line.
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
    let kind = event.event();
    let duration = |kinds: &[Event]| event.duration_ns.filter(|_| kinds.contains(&kind));
    let detail = |wanted: bool| wanted.then_some(event.detail);
    let opens = matches!(kind, Event::Listen | Event::BacklogChanged);
    let line = Line {
        time: clock.show(event.time_ns).to_string().trim_start().to_owned(),
        event: kind.name(),
        reason: event.outcome.reason(),
        listener: listener.id,
        address: listener.address,
        port: listener.port,
        netns: listener.netns,
        client_address: event.client.map(|client| client.ip()),
        client_port: event.client.map(|client| client.port()),
        accept_depth: event.accept_depth,
        syn_depth: event.syn_depth,
        limit: event.limit,
        wait_ns: duration(&[Event::Accept, Event::Abandoned]),
        handshake_ns: duration(&[Event::Established]),
        age_ns: duration(&[Event::RequestExpired]),
        data_bytes: detail(matches!(kind, Event::AckRefused | Event::Established)),
        retransmit: match kind {
            Event::SynackRetransmit => Some(event.detail),
            Event::RequestExpired => Some(event.resent()),
            _ => None,
        },
        acked: (kind == Event::RequestExpired).then(|| event.acked()),
        asked_backlog: listener.asked.filter(|_| opens),
        somaxconn: listener.somaxconn.filter(|_| opens),
        errno: detail(kind == Event::AcceptFailed),
        former_limit: detail(event.outcome == Outcome::BacklogChanged),
        pid: event.process.as_ref().map(|process| process.pid),
        comm: event.process.as_ref().map(|process| process.comm.as_str()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
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
        golden::check("output/events.jsonl", &out);
    }
}
