//! Half-open requests that nobody answers: SYN-ACKs sent again and again, then the end.
//!
//! Fact 2 of kernel.md: the timer ends a request through `__inet_csk_reqsk_queue_drop`, which
//! `inet_csk_reqsk_queue_drop` does not see.

use std::time::Duration;

use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

/// How early a timer may be: it counts ticks, and those may lag behind the clock when it is set.
const EARLY: Duration = Duration::from_millis(100);
/// How late it may be on an emulated processor.
const LATE: Duration = Duration::from_secs(2);

pub(super) fn run(family: Family) {
    sysctl::set("ipv4.tcp_synack_retries", 1);
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let short = Server::listen(wire.server(8001), 5);
    // Its own number of attempts goes before that of the namespace.
    let long = Server::listen(wire.server(8002), 5);
    long.set_synack_retries(2);
    for server in [&short, &long] {
        wire.half_open(wire.client(0), server.address);
        assert_eq!(server.half_open(), 1);
    }
    scene.wait_for("both requests to expire", |events| events.count("request_expired") == 2);
    assert_eq!([&short, &long].map(Server::half_open), [0, 0]);

    let trace = scene.end_with(&[&short, &long], wire.syns_sent());
    let client = wire.client(0);
    // After 1 s again, and given up 2 s after that; or once more, and given up after another 4 s.
    assert_expiry(&trace.events.at_port(8001), client, 1, Duration::from_secs(1 + 2));
    assert_expiry(&trace.events.at_port(8002), client, 2, Duration::from_secs(1 + 2 + 4));
}

fn assert_expiry(events: &Events, client: std::net::SocketAddr, resent: u32, age: Duration) {
    let numbers: Vec<_> = events.of("synack_retransmit").map(|e| e.retransmit.unwrap()).collect();
    assert_eq!(numbers, (1..=resent).collect::<Vec<_>>(), "\n{events}");
    let expired = events.only("request_expired");
    assert_eq!(expired.reason.as_deref(), Some("retries_exhausted"));
    assert_eq!(expired.retransmit, Some(resent));
    let measured = Duration::from_nanos(expired.age_ns.unwrap());
    assert!((age - EARLY..=age + LATE).contains(&measured), "{measured:?} instead of {age:?}");
    for event in events.of("synack_retransmit").chain([expired]) {
        assert_eq!(event.client(), Some(client), "{event:?}");
    }
    assert_eq!(expired.syn_depth, 0);
}
