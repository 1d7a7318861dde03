//! The experiment: a server that does not accept, clients that pile up, and then it accepts.
//!
//! Fact 5 of kernel.md: the refused SYNs are not freed with a drop reason, so only the outcome of
//! `tcp_conn_request` tells.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::{Accepted, Server};
use crate::harness::tracer::Place;

const BACKLOG: u32 = 5;
const CLIENTS: usize = 10;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), BACKLOG as i32);
    let inside = server.fill(BACKLOG + 1);
    let full = Instant::now();
    let refused = Client::connect_many(server.address, CLIENTS - inside.len());
    scene.wait_for("each client's SYN to be refused again", |events| {
        refused.iter().all(|client| events.of_client(client.address).count("syn_refused") >= 2)
    });
    assert_eq!(server.accept_queue(), (BACKLOG + 1, BACKLOG));
    assert!(!refused.iter().any(Client::is_connected));
    assert_full(&server);

    let accepted = server.accept_all(CLIENTS);
    let trace = scene.end(&[&server]);
    let events = &trace.events;
    let named: BTreeSet<_> =
        events.of("syn_refused").map(|event| event.client().unwrap()).collect();
    assert_eq!(named, refused.iter().map(|client| client.address).collect(), "by name");
    assert_eq!(
        events.count("syn_refused"),
        events.count_because("syn_refused", "accept_queue_full")
    );
    for event in events.of("syn_refused") {
        assert_eq!((event.accept_depth, event.limit), (BACKLOG + 1, BACKLOG), "{event:?}");
    }
    let section = trace.summary.only(server.address);
    assert_eq!((section.accept_peak, section.limit), (BACKLOG + 1, BACKLOG));
    assert_listen(events);
    let (first, rest) = accepted.split_at(inside.len());
    first.iter().for_each(|accepted| assert_wait(events, &inside, accepted, full));
    // They entered the queue at some time until they were accepted.
    rest.iter().for_each(|accepted| assert_wait(events, &refused, accepted, accepted.called));
}

/// `queue-trace listeners` shows the full queue.
fn assert_full(server: &Server) {
    let listed = program::listeners();
    assert_eq!(listed.len(), 1, "{listed:#?}");
    let listener = &listed[0];
    assert_eq!(listener["address"], server.address.ip().to_string());
    assert_eq!(listener["port"], server.address.port());
    assert_eq!(listener["netns"], namespace::inode());
    assert_eq!(listener["accept_queue_depth"], BACKLOG + 1);
    assert_eq!(listener["accept_queue_limit"], BACKLOG);
    assert_eq!(listener["accept_queue_full"], true);
}

fn assert_listen(events: &Events) {
    let listen = events.only("listen");
    assert_eq!(listen.pid, Some(std::process::id()));
    assert_eq!(listen.comm.as_deref(), Some(namespace::THREAD));
    assert_eq!(listen.limit, BACKLOG);
}

/// The wait is between what it can be at the least and at the most by the clock of the scenario;
/// the connection was in the queue at `entered`.
fn assert_wait(events: &Events, clients: &[Client], accepted: &Accepted, entered: Instant) {
    let client = clients.iter().find(|client| client.address == accepted.client).unwrap();
    let events = events.of_client(client.address);
    let event = events.only("accept");
    let (least, most) = accepted.wait_bounds(client.called, entered);
    let wait = Duration::from_nanos(event.wait_ns.unwrap());
    assert!(least <= wait && wait <= most, "{least:?} <= {wait:?} <= {most:?}: {event:?}");
    assert_eq!(event.pid, Some(std::process::id()));
    assert_eq!(event.comm.as_deref(), Some(namespace::THREAD));
}
