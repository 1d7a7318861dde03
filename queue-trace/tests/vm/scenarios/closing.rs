//! A listener that closes on one processor while the final ACK of a request arrives on another: the
//! connection waits and is abandoned, is refused, or the ACK finds no listener any more.

use std::thread::sleep;
use std::time::Duration;

use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

/// So many listeners close; each takes a slot for two minutes.
const LISTENERS: u16 = 200;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside).with_closings();
    let wire = Wire::lay(family);
    let to = wire.server(8080);
    for number in 0..LISTENERS {
        let server = Server::listen(to, 5);
        let client = wire.client(number);
        let answer = wire.half_open(client, to);
        let ack = packets::ack(client, to, answer.sequence.wrapping_add(1));
        wire.send_while(&ack, move || drop(server));
    }
    let listeners = u64::from(LISTENERS);
    // A request whose child found no port any more lives until its timer fires, after a second.
    if program::by_kprobes() {
        // Where skipped probes hide some, one would wait in vain for all of them.
        sleep(Duration::from_secs(3));
    } else {
        scene.wait_for("requests to end", |events| ended(events) == listeners);
    }

    let trace = scene.end_with(&[], wire.syns_sent());
    if program::by_kprobes() {
        // Where skipped probes hide some, the books have told what is left.
        return;
    }
    let events = &trace.events;
    for kind in ["listen", "syn_queued", "close"] {
        assert_eq!(events.count(kind), listeners, "{kind}\n{events}");
    }
    assert_eq!(ended(events), listeners, "\n{events}");
    assert_eq!(events.count("abandoned"), events.count("established"), "\n{events}");
    let known = ["listener_closing", "child_failed"];
    for event in events.of("ack_refused") {
        assert!(known.contains(&event.reason.as_deref().unwrap_or_default()), "{event:?}");
    }
    for event in events.of("request_expired") {
        assert_eq!(event.reason.as_deref(), Some("listener_closed"), "{event:?}");
    }
}

/// Requests that came to an end, one way or another.
fn ended(events: &Events) -> u64 {
    events.count("established")
        + events.count("request_expired")
        + events.count_because("ack_refused", "listener_closing")
}
