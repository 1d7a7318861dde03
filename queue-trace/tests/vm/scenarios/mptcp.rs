//! A listener of MPTCP: its connections are counted as those of TCP, whether the client speaks MPTCP
//! or not, and the subflows that join them are no connections. Over a pair of veth devices.
//!
//! 5.10 has no MPTCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::mptcp;
use crate::harness::namespace::ip;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::veth;
use crate::harness::wire::Wire;

/// A SYN that would join a connection which the listener does not have (RFC 8684, section 3.2): address 1, token,
/// nonce.
const JOIN: [u8; 12] = [30, 12, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8];
const BACKLOG: i32 = 2;
const DATA: &[u8] = b"hello";

pub(super) fn run(family: Family) {
    if !mptcp::is_there() {
        return;
    }
    let scene = Scene::begin(Place::Outside);
    let (wire, beyond) = veth::lay(family);
    let server = Server::start(mptcp::bound(wire.server(8080)), BACKLOG);
    mptcp::allow_subflows();
    let [first, second]: [IpAddr; 2] = [2, 3].map(|host| match family {
        Family::V4 => Ipv4Addr::new(10, 9, 0, host).into(),
        Family::V6 => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, host.into()).into(),
    });
    beyond.run(|| {
        match family {
            Family::V4 => ip(&["addr", "add", "10.9.0.3/24", "dev", "veth0"]),
            Family::V6 => ip(&["-6", "addr", "add", "fd09::3/112", "dev", "veth0"]),
        }
        mptcp::allow_subflows();
        mptcp::add_endpoint(second);
    });

    let plain = beyond.run(|| Client::connect_many(server.address, 2));
    let speaking = beyond.run(|| mptcp::connect(first, server.address));
    scene.wait_for("three connections", |events| events.count("established") == 3);
    let refused = beyond.run(|| Client::connect(server.address));
    scene.wait_for("a refusal", |events| events.count("syn_refused") == 1);
    let mut syns = 4;
    // Before it tries again.
    refused.reset();
    let accepted = server.accept_all(3);
    // With data, a connection is known to be MPTCP's at both ends, and its client opens another subflow.
    speaking.send(DATA);
    let own = accepted.iter().find(|accepted| accepted.client == speaking.address).unwrap();
    assert_eq!(own.read(DATA.len()), DATA);
    syns += 1;
    scene.wait_for("a subflow", |e| e.count_because("established", "subflow_joined") == 1);

    let trace = scene.end_with(&[&server], syns);
    let events = &trace.events;
    assert_eq!((events.count("established"), events.count("accept")), (3 + 1, 3), "\n{events}");
    assert_eq!(events.count_because("syn_refused", "accept_queue_full"), 1);
    let joined = events.because("established", "subflow_joined").next().unwrap();
    assert_eq!(joined.client_address, Some(second), "{joined:?}");
    for client in plain.iter().chain([&speaking]) {
        let events = events.of_client(client.address);
        let kinds: Vec<_> = events.0.iter().map(|event| event.event.as_str()).collect();
        assert_eq!(kinds, ["syn_queued", "established", "accept"]);
        assert!(events.only("accept").wait_ns.is_some());
    }
    let section = trace.summary.only(server.address);
    assert_eq!((section.accept_peak, section.limit), (3, BACKLOG as u32));
    reset_all(plain);
}

/// A listener that refuses a SYN and tells the client, which no other does.
pub(super) fn unknown_join(family: Family) {
    if !mptcp::is_there() {
        return;
    }
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let server = Server::start(mptcp::bound(wire.server(8080)), BACKLOG);
    let [plain, joining] = [0, 1].map(|number| wire.client(number));
    wire.half_open(plain, server.address);
    wire.crafted_syn(&packets::segment(joining, server.address, |tcp| {
        tcp.syn = true;
        tcp.set_options_raw(&JOIN).unwrap();
    }));
    wire.reply(joining, |reply| reply.rst);
    scene.wait_for("a refusal", |events| events.count("syn_refused") == 1);
    assert_eq!(scene.moved("ListenDrops"), 1);
    assert_eq!(server.half_open(), 1);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let events = trace.events.of_client(joining);
    assert_eq!(events.only("syn_refused").reason.as_deref(), Some("no_route_or_denied"));
    assert_eq!(trace.events.of_client(plain).count("syn_queued"), 1);
}
