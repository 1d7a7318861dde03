//! A listener older than queue-trace, with connections waiting in it.

use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;

const WAITING: u32 = 3;

pub(super) fn run(family: Family) {
    let server = Server::listen(family.loopback(8080), 5);
    let early = server.fill(WAITING);
    let waiting = Instant::now();
    let scene = Scene::begin_with(Place::Outside, &[&server]);
    let attached = Instant::now();
    let late = Client::connect(server.address);
    scene.wait_established(&late);
    let _accepted = server.accept_all(early.len() + 1);
    let trace = scene.end(&[&server]);

    let events = &trace.events;
    // The kernel itself knows since when they wait.
    for client in &early {
        let events = events.of_client(client.address);
        let event = events.only("accept");
        let wait = Duration::from_nanos(event.wait_ns.unwrap());
        assert!(attached - waiting <= wait && wait <= client.called.elapsed(), "{event:?}");
        assert_eq!(event.reason, None, "{event:?}");
    }
    let events = events.of_client(late.address);
    assert_eq!(events.only("accept").reason, None);
    assert!(events.only("accept").wait_ns.is_some());
    // Of the waiting ones there was one more each time.
    assert_eq!(events.only("established").accept_depth, WAITING + 1);

    // Nobody called listen() while queue-trace looked: the owner is known from /proc.
    let section = trace.summary.only(server.address);
    let owner = format!("{} ({})", own_name(), std::process::id());
    assert_eq!(section.owners, owner, "\n{}", trace.summary.text);
    assert_eq!(section.limit, 5);
    assert!(!section.closed);
}

/// The name of this process.
fn own_name() -> String {
    std::fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_owned()
}
