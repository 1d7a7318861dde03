//! SYNs to addresses of no single host: `ListenDrops`, and never an event of another kind; over a
//! pair of veth devices. A source of ::ffff:a.b.c.d is dropped too, but is no listen drop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::veth;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (wire, _beyond) = veth::lay(family);
    let server = Server::listen(family.wildcard(8080), 5);
    let nobody: Vec<IpAddr> = match family {
        Family::V4 => vec![
            wire.everybody(8080).ip(),
            Ipv4Addr::BROADCAST.into(),
            Ipv4Addr::new(224, 0, 0, 1).into(),
        ],
        Family::V6 => vec![wire.everybody(8080).ip()],
    };
    for (number, address) in (0..).zip(&nobody) {
        wire.syn(wire.client(number), (*address, 8080).into());
    }
    let refused = nobody.len() as u64;
    scene.wait_for("refusals", |events| events.count("syn_refused") == refused);
    if family == Family::V6 {
        let mapped: IpAddr = Ipv4Addr::new(10, 9, 1, 1).to_ipv6_mapped().into();
        // Not counted: the kernel gives it no outcome either.
        wire.send(&packets::syn(SocketAddr::new(mapped, 40_000), wire.server(8080)));
    }
    // Whatever came before has been dealt with when this one is answered.
    wire.half_open(wire.client(100), wire.server(8080));
    assert_eq!(scene.moved("ListenDrops"), refused);
    assert_eq!(scene.moved("ListenOverflows"), 0);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    assert_eq!(trace.events.count_because("syn_refused", "not_unicast"), refused);
    for (number, event) in (0..).zip(trace.events.of("syn_refused")) {
        assert_eq!(event.client(), Some(wire.client(number)), "{event:?}");
    }
    let of =
        |client| matches!(client, Some(IpAddr::V6(ip)) if Ipv6Addr::to_ipv4_mapped(&ip).is_some());
    assert!(!trace.events.0.iter().any(|event| of(event.client_address)), "\n{}", trace.events);
    let listener = trace.events.only("listen").listener;
    assert!(trace.events.0.iter().all(|event| event.listener == listener));
}
