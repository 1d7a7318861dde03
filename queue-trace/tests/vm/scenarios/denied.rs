//! What a security module denies, and children for which there is no memory: SYNs, final ACKs and
//! cookies that come to nothing although both queues have room.

use std::net::SocketAddr;

use crate::harness::denial::Denial;
use crate::harness::family::Family;
use crate::harness::packets::{self, Reply};
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let server = Server::listen(family.wildcard(8080), 5);
    let to = wire.server(8080);
    let [denied, silent, told, cookie] = [0, 1, 2, 3].map(|number| wire.client(number));
    let refused = |kind, count| {
        scene.wait_for("a refusal", |events| events.count(kind) == count);
    };

    let denial = Denial::of_requests();
    wire.syn(denied, to);
    refused("syn_refused", 1);
    drop(denial);

    let [silent_answer, told_answer] = [silent, told].map(|client| wire.half_open(client, to));
    sysctl::set("ipv4.tcp_syncookies", 2);
    let cookie_answer = wire.half_open(cookie, to);
    sysctl::set("ipv4.tcp_syncookies", 1);
    let denial = Denial::of_children();
    acknowledge(&wire, &silent_answer, to);
    acknowledge(&wire, &cookie_answer, to);
    refused("ack_refused", 2);
    sysctl::set("ipv4.tcp_abort_on_overflow", 1);
    acknowledge(&wire, &told_answer, to);
    refused("ack_refused", 3);
    wire.reply(told, |reply| reply.rst);
    drop(denial);
    assert_eq!(scene.moved("ListenDrops"), 4);
    assert_eq!(scene.moved("ListenOverflows"), 0);
    assert_eq!(scene.moved("EmbryonicRsts"), 1);
    assert_eq!(scene.moved("SyncookiesRecv"), 1);
    assert_eq!(server.half_open(), 1);
    acknowledge(&wire, &silent_answer, to);
    assert_eq!(server.accept().client, silent);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let of = |client| trace.events.of_client(client);
    let reason = |client, kind: &str| of(client).only(kind).reason.clone();
    assert_eq!(reason(denied, "syn_refused").as_deref(), Some("no_route_or_denied"));
    assert_eq!(reason(silent, "ack_refused").as_deref(), Some("child_failed"));
    assert_eq!(reason(silent, "established"), None);
    assert_eq!(reason(told, "ack_refused").as_deref(), Some("child_failed_reset"));
    assert_eq!(reason(cookie, "ack_refused").as_deref(), Some("cookie_child_failed"));
}

fn acknowledge(wire: &Wire, answer: &Reply, to: SocketAddr) {
    wire.send(&packets::ack(answer.client, to, answer.sequence.wrapping_add(1)));
}
