//! Listeners that lose their route to the clients: SYNs, final ACKs and cookies that the kernel can
//! make nothing of, and SYN-ACKs that it cannot send again. Beyond a pair of veth devices.

use std::net::SocketAddr;

use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::veth;
use crate::harness::wire::Wire;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (wire, _beyond) = veth::lay(family);
    let server = Server::listen(family.wildcard(8080), 5);
    let [late, answered, silent, cookie] = [0, 1, 2, 3].map(|number| wire.client(number));
    let to = wire.server(8080);
    let synack = wire.half_open(answered, to);
    wire.half_open(silent, to);
    sysctl::set("ipv4.tcp_syncookies", 2);
    let cookie_synack = wire.half_open(cookie, to);
    sysctl::set("ipv4.tcp_syncookies", 1);
    assert_eq!(server.half_open(), 2);

    veth::route(family, "del");
    wire.syn(late, to);
    scene.wait_for("a SYN to be refused", |events| events.count("syn_refused") == 1);
    acknowledge(&wire, answered, synack.sequence, to);
    acknowledge(&wire, cookie, cookie_synack.sequence, to);
    scene.wait_for("two ACKs to be refused", |events| events.count("ack_refused") == 2);
    assert_eq!(scene.moved("ListenOverflows"), 0);
    // Its SYN-ACK cannot be sent again; that of the other one neither, but its client has answered.
    scene.wait_for("the end of a request", |e| e.of_client(silent).count("request_expired") == 1);
    scene.wait_for("another attempt", |e| e.of_client(answered).count("synack_retransmit") == 1);
    veth::route(family, "add");
    acknowledge(&wire, answered, synack.sequence, to);
    assert_eq!(server.accept().client, answered);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let of = |client| trace.events.of_client(client);
    assert_eq!(of(late).only("syn_refused").reason.as_deref(), Some("no_route_or_denied"));
    assert_eq!(of(answered).only("ack_refused").reason.as_deref(), Some("child_failed"));
    assert_eq!(of(answered).only("established").reason, None);
    assert_eq!(of(silent).only("request_expired").reason.as_deref(), Some("synack_unsendable"));
    assert_eq!(of(cookie).only("ack_refused").reason.as_deref(), Some("cookie_unusable"));
    for client in [answered, silent] {
        let of = of(client);
        assert_eq!(of.only("synack_retransmit").reason.as_deref(), Some("unsendable"), "\n{of}");
    }
}

fn acknowledge(wire: &Wire, client: SocketAddr, sequence: u32, to: SocketAddr) {
    wire.send(&packets::ack(client, to, sequence.wrapping_add(1)));
}
