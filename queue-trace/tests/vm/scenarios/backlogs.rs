//! What a program asks `listen()` for, what `net.core.somaxconn` is at that moment, and what comes of
//! both.

use crate::harness::events::{Event, Events};
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    sysctl::set("core.somaxconn", 20);
    let clamped = Server::listen(family.loopback(8001), 50);
    let modest = Server::listen(family.loopback(8002), 10);
    let most = Server::listen(family.loopback(8003), -1);
    let again = Server::listen(family.loopback(8004), 3);
    sysctl::set("core.somaxconn", 100);
    // Only listen() has the limit set anew.
    assert_eq!(clamped.accept_queue(), (0, 20));
    // One after the other, before anybody could look in between.
    [0, -1, 70].into_iter().for_each(|backlog| again.listen_again(backlog));
    let servers = [&clamped, &modest, &most, &again];
    scene.wait_for("seven calls of listen()", |events| events.0.len() == 7);

    let trace = scene.end(&servers);
    let listened = |port| granted(&trace.events.at_port(port));
    assert_eq!(listened(8001), [("listen".to_owned(), 50, 20, 20, None)]);
    assert_eq!(listened(8002), [("listen".to_owned(), 10, 20, 10, None)]);
    assert_eq!(listened(8003), [("listen".to_owned(), -1, 20, 20, None)]);
    assert_eq!(
        listened(8004),
        [
            ("listen".to_owned(), 3, 20, 3, None),
            ("backlog_changed".to_owned(), 0, 100, 0, Some(3)),
            ("backlog_changed".to_owned(), -1, 100, 100, Some(0)),
            ("backlog_changed".to_owned(), 70, 100, 70, Some(100)),
        ]
    );
    let asked = |server: &Server| {
        let section = trace.summary.only(server.address);
        section.row("asked for").map(ToOwned::to_owned)
    };
    let told = |asked: &str| {
        Some(format!("{asked}, got 20: net.core.somaxconn was 20 when listen() was called"))
    };
    assert_eq!(servers.map(asked), [told("50"), None, told("-1"), None]);
}

/// Kind, backlog asked for, `somaxconn`, limit and former limit of each call.
fn granted(events: &Events) -> Vec<(String, i32, u32, u32, Option<u32>)> {
    let call = |event: &Event| {
        let asked = event.asked_backlog.expect("the backlog was seen").cast_signed();
        let somaxconn = event.somaxconn.expect("somaxconn was seen");
        (event.event.clone(), asked, somaxconn, event.limit, event.former_limit)
    };
    events.0.iter().map(call).collect()
}
