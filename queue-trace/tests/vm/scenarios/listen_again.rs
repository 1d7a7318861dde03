//! A listener that changes its backlog and closes with connections waiting, and the ones that come
//! after it on the same address.

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;

/// Listeners that come and go; the kernel hands out the same memory again.
const SUCCESSORS: usize = 5;

pub(super) fn run(family: Family) {
    let address = family.loopback(8080);
    let scene = Scene::begin(Place::Outside);
    let first = Server::listen(address, 5);
    let waiting = first.fill(4);
    first.listen_again(2);
    assert_eq!(first.accept_queue(), (4, 2));
    let refused = Client::connect(address);
    scene.wait_for("a refusal under the new limit", |e| e.count("syn_refused") >= 1);
    refused.reset();
    drop(first);
    scene.wait_for("the end of the listener", |events| events.count("abandoned") == 4);
    reset_all(waiting);

    for round in 1..=SUCCESSORS {
        let server = Server::listen(address, 1);
        let _client = Client::connect(address);
        server.accept();
        drop(server);
        scene.wait_for("the next listener to close", |e| e.count("close") == 1 + round as u64);
    }
    let trace = scene.end(&[]);
    assert_first(&trace.events);

    // Each listener is one of its own, whose counts are its own.
    let numbers = trace.events.listeners();
    assert_eq!(numbers.len(), 1 + SUCCESSORS, "\n{}", trace.events);
    let sections = trace.summary.at(address);
    assert_eq!(sections.len(), 1 + SUCCESSORS, "\n{}", trace.summary.text);
    let old = |kind: &str| sections.iter().filter(|s| s.counts.contains_key(kind)).count();
    assert_eq!(["backlog_changed", "syn_refused", "abandoned"].map(old), [1, 1, 1]);
    for section in &sections {
        assert!(section.closed, "{section:?}");
        let established = section.counts["established"];
        assert_eq!(established, if section.counts.contains_key("abandoned") { 4 } else { 1 });
        assert_eq!(u64::from(section.accept_peak), established);
    }
}

fn assert_first(events: &crate::harness::events::Events) {
    let changed = events.only("backlog_changed");
    assert_eq!((changed.former_limit, changed.limit), (Some(5), 2));
    assert_eq!(changed.pid, Some(std::process::id()));
    let events = events.of_listener(changed.listener);
    assert_eq!(events.count_because("abandoned", "listener_closed"), 4);
    for event in events.of("abandoned") {
        assert!(event.client().is_some() && event.wait_ns.is_some(), "{event:?}");
    }
    let refusal = events.of("syn_refused").next().unwrap();
    assert_eq!((refusal.accept_depth, refusal.limit), (4, 2));
    assert_eq!(events.count("listen"), 1);
    assert_eq!(events.count("close"), 1);
}
