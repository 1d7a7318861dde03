//! Connections that nobody accepts: the client resets, the listener is shut down or closed. And
//! half-open requests that outlive their listener.

use std::time::{Duration, Instant};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Trace};
use crate::harness::wait;
use crate::harness::wire::Wire;

const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), 5);
    let [gone, stays] = [(); 2].map(|()| Client::connect(server.address));
    let (gone, stays) = (gone, stays.address);
    let reset = gone.address;
    wait::until("two connections waiting", || server.depth() == 2);
    gone.reset();
    wait::until("both ends to be reset", || scene.moved("EstabResets") == 2);
    // It stays in the queue and is accepted.
    assert_eq!(server.depth(), 2);
    server.accept_all(2);

    let (before, abandoned) = (Instant::now(), Client::connect_many(server.address, 3));
    wait::until("three connections waiting", || server.depth() == 3);
    let waiting = Instant::now();
    std::thread::sleep(PAUSE);
    let stopping = Instant::now();
    server.shut_down();
    let waits = (stopping - waiting, before.elapsed());
    scene.wait_for("the end of the listener", |events| events.count("close") == 1);
    server.listen_again(1);
    let late = Client::connect(server.address);
    server.accept();

    // A closed listener leaves half-open requests behind, until something happens to them.
    let wire = Wire::lay(family);
    let closing = Server::listen(wire.server(8081), 5);
    let [acked, silent] = [0, 1].map(|number| wire.client(number));
    let synack = wire.half_open(acked, closing.address);
    wire.half_open(silent, closing.address);
    let at = closing.address;
    drop(closing);
    wire.send(&packets::ack(acked, at, synack.sequence.wrapping_add(1)));
    wire.reply(acked, |reply| reply.rst);
    scene.wait_for("the end of both requests", |events| {
        events.count_because("request_expired", "listener_closed") == 2
    });

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let of = |client| trace.events.of_client(client);
    assert_eq!(of(reset).only("accept").reason.as_deref(), Some("reset_while_waiting"));
    assert!(of(reset).only("accept").wait_ns.is_some());
    assert_eq!(of(stays).only("accept").reason, None);
    for client in &abandoned {
        let events = of(client.address);
        let event = events.only("abandoned");
        let wait = Duration::from_nanos(event.wait_ns.unwrap());
        assert!(waits.0 <= wait && wait <= waits.1, "{waits:?}: {event:?}");
        assert_eq!(event.reason.as_deref(), Some("listener_closed"));
    }
    assert_sections(&trace, &server);
    assert_eq!(of(late.address).count("accept"), 1);
    reset_all(abandoned);
}

/// After shutdown() and listen(), it is another listener.
fn assert_sections(trace: &Trace, server: &Server) {
    let at = trace.summary.at(server.address);
    let mut told: Vec<_> = at
        .iter()
        .map(|section| (section.closed, section.limit, section.counts["accept"]))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(false, 1, 1), (true, 5, 2)], "\n{}", trace.summary.text);
    let listens: Vec<_> = trace.events.of("listen").map(|event| event.listener).collect();
    assert_eq!(listens.len(), 3);
    assert_ne!(listens[0], listens[1]);
}
