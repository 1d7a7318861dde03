//! SYN cookies beside a full accept queue: chosen, and then not sent after all. And ACKs where no
//! cookie was sent lately, which are none of the books' business.

use std::net::SocketAddr;

use crate::harness::family::Family;
use crate::harness::packets::{self, Reply};
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

const BACKLOG: u32 = 2;
const FULL: u16 = BACKLOG as u16 + 1;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let when_full = when_the_syn_queue_is_full(&scene, &wire);
    let always = always(&scene, &wire);
    let none = none_sent(&scene, &wire);
    assert_eq!(scene.moved("TCPReqQFullDoCookies"), scene.moved("SyncookiesSent") + 2 + 1);

    let trace = scene.end_with(&[&when_full, &always, &none], wire.syns_sent());
    let chosen = |server: &Server| trace.summary.only(server.address).tally("chose a cookie");
    assert_eq!(chosen(&when_full), u64::from(FULL) + 1 + 2);
    assert_eq!(chosen(&always), 1 + 1);
    assert_eq!(chosen(&none), 0);
    let of = |server: &Server| trace.events.at_port(server.address.port());
    assert_eq!(of(&when_full).count("syn_queued"), u64::from(FULL));
    assert_eq!(of(&when_full).count("cookie_valid"), u64::from(FULL));
    assert_eq!(of(&when_full).count_because("ack_refused", "cookie_accept_queue_full"), 1);
    for (server, refused) in [(&when_full, 2), (&always, 1)] {
        let events = of(server);
        assert_eq!(events.count("syn_refused"), refused, "\n{events}");
        assert_eq!(events.count_because("syn_refused", "accept_queue_full"), refused);
    }
    let kinds: Vec<_> = of(&none).0.iter().map(|event| event.event.clone()).collect();
    assert_eq!(kinds, ["listen"], "an ACK out of the blue is no event");
    // Accepted: the wait is known, the handshake's time is not.
    for event in of(&always).of("accept") {
        assert!(event.wait_ns.is_some(), "{event:?}");
    }
}

/// `tcp_syncookies` is 1: cookies once the SYN queue is full, until the accept queue is full too.
fn when_the_syn_queue_is_full(scene: &Scene, wire: &Wire) -> Server {
    sysctl::set("ipv4.tcp_syncookies", 1);
    let server = Server::listen(wire.server(8001), BACKLOG as i32);
    for number in 0..FULL {
        wire.half_open(wire.client(number), server.address);
    }
    let cookie = |number| wire.half_open(wire.client(number), server.address);
    let cookies: Vec<_> = (FULL..=2 * FULL).map(cookie).collect();
    let (late, early) = cookies.split_last().unwrap();
    for cookie in early {
        give_back(wire, cookie, server.address);
    }
    scene.wait_for("cookies", |e| e.at_port(8001).count("cookie_valid") == early.len() as u64);
    assert_eq!(server.accept_queue(), (BACKLOG + 1, BACKLOG));
    wire.flood(20..22, server.address);
    give_back(wire, late, server.address);
    scene.wait_for("refusals", |events| {
        let events = events.at_port(8001);
        events.count("syn_refused") == 2 && events.count("ack_refused") == 1
    });
    server
}

/// `tcp_syncookies` is 2.
fn always(scene: &Scene, wire: &Wire) -> Server {
    sysctl::set("ipv4.tcp_syncookies", 2);
    let server = Server::listen(wire.server(8002), 0);
    let cookie = wire.half_open(wire.client(0), server.address);
    give_back(wire, &cookie, server.address);
    scene.wait_for("a cookie", |events| events.at_port(8002).count("cookie_valid") == 1);
    wire.flood(20..21, server.address);
    scene.wait_for("a refusal", |events| events.at_port(8002).count("syn_refused") == 1);
    server.accept();
    server
}

/// The ACK is answered with RST, before anything is looked at.
fn none_sent(scene: &Scene, wire: &Wire) -> Server {
    sysctl::set("ipv4.tcp_syncookies", 1);
    let failed = scene.moved("SyncookiesFailed");
    let server = Server::listen(wire.server(8003), 5);
    wire.send(&packets::ack(wire.client(0), server.address, 1));
    wire.reply(wire.client(0), |reply| reply.port == 8003 && reply.rst);
    sysctl::set("ipv4.tcp_syncookies", 0);
    wire.send(&packets::ack(wire.client(1), server.address, 1));
    wire.reply(wire.client(1), |reply| reply.port == 8003 && reply.rst);
    assert_eq!(scene.moved("SyncookiesFailed"), failed);
    server
}

fn give_back(wire: &Wire, cookie: &Reply, to: SocketAddr) {
    wire.send(&packets::ack(cookie.client, to, cookie.sequence.wrapping_add(1)));
}
