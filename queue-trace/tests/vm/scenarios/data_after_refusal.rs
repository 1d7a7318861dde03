//! Clients that send data on a connection whose final ACK was refused in silence. They believe in
//! their connection; the listener takes each of their segments for the final ACK, until there is
//! room, or until it has given the request up and answers with RST.

use std::io::ErrorKind;

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;

const BACKLOG: u32 = 1;
const DATA: &[u8] = b"is anybody there?";

/// A listener with a full queue and a client that took it for a connection.
struct Deceived {
    server: Server,
    waiting: Vec<Client>,
    client: Client,
}

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (lucky, unlucky) = (deceive(family, 8080), deceive(family, 8081));
    // Its SYN-ACK is sent again after one second, the request given up after three.
    unlucky.server.set_synack_retries(1);
    for Deceived { client, server, .. } in [&lucky, &unlucky] {
        scene.wait_for("the final ACK to be refused", |events| {
            events.of_client(client.address).count("ack_refused") >= 1
        });
        assert!(client.is_connected() && server.depth() == BACKLOG + 1);
        client.send(DATA);
    }
    for Deceived { client, .. } in [&lucky, &unlucky] {
        scene.wait_for("data to be refused", |events| {
            let events = events.of_client(client.address);
            events.of("ack_refused").any(|event| event.data_bytes == Some(DATA.len() as u32))
        });
    }
    // Room for one: its next attempt to deliver the data makes the connection.
    let first = lucky.server.accept();
    let rest = lucky.server.accept_all(lucky.waiting.len());
    let served = rest.iter().find(|accepted| accepted.client == lucky.client.address).unwrap();
    assert_eq!(served.read(DATA.len()), DATA);
    drop(first);
    // No room: when the request is gone, the next attempt meets a listener that knows of nothing.
    assert_eq!(unlucky.client.wait_error(), ErrorKind::ConnectionReset);
    assert_eq!(unlucky.server.half_open(), 0);
    reset_all(unlucky.waiting);

    let trace = scene.end(&[&lucky.server, &unlucky.server]);
    let events = trace.events.of_client(lucky.client.address);
    assert_eq!(events.only("established").data_bytes, Some(DATA.len() as u32));
    assert_eq!(events.count("accept"), 1);
    assert_eq!(events.count("request_expired"), 0);
    let events = trace.events.of_client(unlucky.client.address);
    assert_eq!(events.count("established"), 0, "\n{events}");
    assert_eq!(events.only("request_expired").reason.as_deref(), Some("retries_exhausted"));
    for event in trace.events.of("ack_refused") {
        assert_eq!(event.reason.as_deref(), Some("accept_queue_full"), "{event:?}");
    }
    assert_eq!(trace.events.count("syn_refused"), 0);
}

/// The client's ACK is lost. Others fill the queue, until the SYN-ACK is sent again after one second
/// and the client repeats its ACK.
fn deceive(family: Family, port: u16) -> Deceived {
    let server = Server::listen(family.loopback(port), BACKLOG as i32);
    server.lose_acks();
    let client = Client::connect(server.address);
    client.wait_connected();
    assert_eq!((server.half_open(), server.depth()), (1, 0));
    server.hear_acks();
    let waiting = server.fill(BACKLOG + 1);
    Deceived { server, waiting, client }
}
