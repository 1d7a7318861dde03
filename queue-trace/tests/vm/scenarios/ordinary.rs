//! Handshakes as they should be: each counted once.
//!
//! Facts of kernel.md: 1, `inet_csk_reqsk_queue_add` sees every handshake on 5.10 and none later; 12,
//! the place of a hook's return value depends on the kernel, and wrong ones would show here first.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::{Accepted, Server};
use crate::harness::tracer::{Place, Trace};

const CONNECTIONS: usize = 20;

pub(super) fn run(family: Family) {
    watch(family, Place::Outside);
}

/// The same where queue-trace runs in the namespace itself.
pub(super) fn inside(family: Family) {
    watch(family, Place::Inside);
}

fn watch(family: Family, place: Place) {
    let scene = Scene::begin(place);
    let server = Server::listen(family.loopback(8080), CONNECTIONS as i32);
    let clients = serve(&scene, &server, server.address);
    let trace = scene.end(&[&server]);
    assert_ordinary(&trace, &server, &clients);
}

/// An IPv4 client of an IPv6 listener passes through functions of both: it is counted once, and is
/// an IPv4 client.
pub(super) fn dual_stack() {
    let scene = Scene::begin(Place::Outside);
    let socket = Server::bound_dual_stack(8080);
    let server = Server::start(socket, CONNECTIONS as i32);
    let clients = serve(&scene, &server, Family::V4.loopback(8080));
    let trace = scene.end(&[&server]);
    assert_ordinary(&trace, &server, &clients);
    for event in trace.events.0.iter().filter(|event| event.client_address.is_some()) {
        assert!(event.client_address.unwrap().is_ipv4(), "{event:?}");
    }
}

/// Connects and accepts, one by one: whoever waits in `accept()` on another processor takes a connection before
/// its final ACK has been dealt with.
fn serve(scene: &Scene, server: &Server, address: SocketAddr) -> Vec<(Client, Accepted)> {
    let one = |_| {
        let client = Client::connect(address);
        scene.wait_established(&client);
        (client, server.accept())
    };
    (0..CONNECTIONS).map(one).collect()
}

fn assert_ordinary(trace: &Trace, server: &Server, clients: &[(Client, Accepted)]) {
    let events = &trace.events;
    for kind in ["syn_queued", "established", "accept"] {
        assert_eq!(events.count(kind), CONNECTIONS as u64, "{kind}:\n{events}");
    }
    assert_eq!(events.0.len(), 3 * CONNECTIONS + 1, "and one listen:\n{events}");
    for (client, accepted) in clients {
        let events = events.of_client(client.address);
        assert_handshake(&events, accepted.returned - client.called);
    }
    assert!(events.0.iter().all(|event| event.listens_at() == server.address));
    let section = trace.summary.only(server.address);
    assert_eq!((section.accept_peak, section.syn_peak), (1, 1));
}

/// Its three events in their order, and a handshake that took no longer than from `connect()` to
/// the return of `accept()`.
fn assert_handshake(events: &Events, most: Duration) {
    let kinds: Vec<_> = events.0.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["syn_queued", "established", "accept"]);
    let handshake = Duration::from_nanos(events.only("established").handshake_ns.unwrap());
    assert!(handshake <= most, "{handshake:?} of {most:?}");
    assert_eq!(events.only("established").data_bytes, Some(0));
    let depths: Vec<_> = events.0.iter().map(|e| (e.syn_depth, e.accept_depth)).collect();
    assert_eq!(depths, [(1, 0), (0, 1), (0, 0)]);
}
