//! IPv4 clients of an IPv6 listener, at every stage: the functions for IPv6 hand them to those for
//! IPv4, and yet each is counted once, by its IPv4 address.

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

const BACKLOG: u32 = 2;

pub(super) fn run() {
    let scene = Scene::begin(Place::Outside);
    let server = Server::start(Server::bound_dual_stack(8080), BACKLOG as i32);
    let [v4, v6] = [Family::V4, Family::V6].map(|family| family.loopback(8080));
    let inside: Vec<_> = [v4, v6, v4].map(|address| server.queue(address)).into();
    let refused: Vec<_> = [v4, v4, v6].map(Client::connect).into();
    scene.wait_for("three refusals", |events| events.count("syn_refused") >= 3);
    let accepted = server.accept_all(3 + 3);
    assert_eq!(accepted.len(), 6);

    let wire = Wire::lay(Family::V4);
    let to = wire.server(8080);
    let [everybody, reset, icmp, cookie, bad] = [0, 1, 2, 3, 4].map(|number| wire.client(number));
    wire.syn(everybody, wire.everybody(8080));
    wire.half_open(reset, to);
    wire.send(&packets::rst(reset, to));
    let synack = wire.half_open(icmp, to);
    wire.send(&packets::unreachable(&synack, to));
    sysctl::set("ipv4.tcp_syncookies", 2);
    let synack = wire.half_open(cookie, to);
    wire.send(&packets::ack(cookie, to, synack.sequence.wrapping_add(1)));
    let synack = wire.half_open(bad, to);
    wire.send(&packets::ack(bad, to, synack.sequence.wrapping_add(1000)));
    wire.reply(bad, |reply| reply.rst);
    server.accept();

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let told = |client| {
        let events = trace.events.of_client(client);
        let told = events.0.iter().map(|e| (e.event.clone(), e.reason.clone().unwrap_or_default()));
        told.map(|(kind, reason)| format!("{kind} {reason}").trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    for client in &inside {
        assert_eq!(told(client.address), ["syn_queued", "established", "accept"]);
    }
    for client in &refused {
        let mut told = told(client.address);
        assert!(told.starts_with(&["syn_refused accept_queue_full".to_owned()]), "{told:?}");
        told.retain(|event| !event.starts_with("syn_refused"));
        assert_eq!(told, ["syn_queued", "established", "accept"]);
    }
    assert_eq!(told(everybody), ["syn_refused not_unicast"]);
    assert_eq!(told(reset), ["syn_queued", "request_expired reset_by_client"]);
    assert_eq!(told(icmp), ["syn_queued", "request_expired icmp_error"]);
    assert_eq!(told(cookie), ["syn_cookie", "cookie_valid", "accept"]);
    assert_eq!(told(bad), ["syn_cookie", "cookie_invalid"]);
    let section = trace.summary.only(server.address);
    assert_eq!(section.tally("chose a cookie"), 2);
    reset_all(inside);
}
