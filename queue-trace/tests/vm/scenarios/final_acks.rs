//! Final ACKs refused in silence while their SYNs were let in; they are counted apart from SYNs, and
//! get in once there is room.
//!
//! Fact 3 of kernel.md, as in `reset_on_overflow`.

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::held_back::{DATA, HELD, HeldBack};
use crate::harness::scene::Scene;
use crate::harness::tracer::Place;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let HeldBack { server, held, waiting } = HeldBack::prepare(&scene, family);
    held.iter().for_each(|client| client.send(DATA));
    scene.wait_for("each client's data to be refused twice", |events| {
        let refused = |client: &Client| {
            events.of_client(client.address).count_because("ack_refused", "accept_queue_full")
        };
        held.iter().all(|client| refused(client) >= 2)
    });
    assert!(held.iter().all(Client::is_connected), "the clients were told nothing");
    assert_eq!(server.half_open(), HELD as u64);

    let accepted = server.accept_all(waiting.len() + HELD);
    for accepted in &accepted {
        assert_eq!(accepted.read(DATA.len()), DATA);
    }
    let trace = scene.end(&[&server]);
    let events = &trace.events;
    assert_eq!(events.count("syn_refused"), 0);
    assert_eq!(events.count("syn_queued"), accepted.len() as u64);
    // One bare ACK each.
    assert_eq!(events.count("ack_deferred"), accepted.len() as u64);
    for event in events.of("ack_refused") {
        let client = event.client().unwrap();
        assert!(held.iter().any(|held| held.address == client), "{event:?}");
        assert_eq!(event.data_bytes, Some(DATA.len() as u32), "{event:?}");
    }
    for event in events.of("established") {
        // It was the data that made the connection.
        assert_eq!(event.data_bytes, Some(DATA.len() as u32), "{event:?}");
    }
}
