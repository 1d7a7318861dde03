//! `tcp_abort_on_overflow`: a final ACK that finds the accept queue full is answered with RST.
//!
//! Fact 3 of kernel.md: `tcp_v4_syn_recv_sock` has seven arguments on 6.1 of today, where it cannot
//! be hooked; what it refuses has to be told otherwise.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use crate::harness::family::Family;
use crate::harness::held_back::{BACKLOG, DATA, HELD, HeldBack};
use crate::harness::scene::Scene;
use crate::harness::sysctl;
use crate::harness::tracer::Place;

pub(super) fn run(family: Family) {
    sysctl::set("ipv4.tcp_abort_on_overflow", 1);
    let scene = Scene::begin(Place::Outside);
    let HeldBack { server, held, waiting } = HeldBack::prepare(&scene, family);
    for client in &held {
        client.send(DATA);
        assert_eq!(client.wait_error(), ErrorKind::ConnectionReset);
    }
    assert_eq!(server.half_open(), 0);
    assert_eq!(scene.moved("ListenOverflows"), HELD as u64);
    assert_eq!(scene.moved("EmbryonicRsts"), HELD as u64);
    let accepted = server.accept_all(waiting.len());

    let trace = scene.end(&[&server]);
    let events = &trace.events;
    assert_eq!(events.count("syn_refused"), 0);
    let refused: Vec<_> = events.because("ack_refused", "accept_queue_full_reset").collect();
    assert_eq!(refused.len(), HELD, "\n{events}");
    assert_eq!(events.count("ack_refused"), HELD as u64);
    let named: BTreeSet<_> = refused.iter().map(|event| event.client().unwrap()).collect();
    assert_eq!(named, held.iter().map(|client| client.address).collect());
    for event in refused {
        assert_eq!(event.data_bytes, Some(DATA.len() as u32), "{event:?}");
        assert_eq!((event.accept_depth, event.limit), (BACKLOG + 1, BACKLOG), "{event:?}");
    }
    let served: BTreeSet<_> = accepted.iter().map(|accepted| accepted.client).collect();
    assert_eq!(served, waiting.iter().map(|client| client.address).collect());
}
