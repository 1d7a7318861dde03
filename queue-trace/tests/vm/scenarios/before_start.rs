//! A listener older than queue-trace, with connections waiting in it.

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;

const WAITING: u32 = 3;

pub(super) fn run(family: Family) {
    let server = Server::listen(family.loopback(8080), 5);
    let early = server.fill(WAITING);

    let scene = Scene::begin_with(Place::Outside, &[&server]);
    let late = Client::connect(server.address);
    let _accepted = server.accept_all(early.len() + 1);
    let trace = scene.end(&[&server]);

    let events = &trace.events;
    for client in &early {
        let events = events.of_client(client.address);
        let event = events.only("accept");
        assert_eq!(event.reason.as_deref(), Some("entered_before_start"), "{event:?}");
        assert_eq!(event.wait_ns, None, "{event:?}");
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
