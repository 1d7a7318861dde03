//! Several listeners on one port: told apart, and summed up as a group.

use std::collections::BTreeSet;

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wait;

const LISTENERS: usize = 3;
const CLIENTS: usize = 30;

pub(super) fn run(family: Family) {
    // A cookie whose ACK is refused is not sent again: that client would never get in.
    sysctl::set("ipv4.tcp_syncookies", 0);
    let scene = Scene::begin(Place::Outside);
    let address = family.loopback(8080);
    // The second one is so small that some will be refused there.
    let servers: Vec<_> =
        [20, 2, 20].map(|backlog| Server::listen_in_group(address, backlog)).into();
    let clients = Client::connect_many(address, CLIENTS);
    let mut accepted: Vec<_> = servers.iter().map(|_| Vec::new()).collect();
    wait::until("all to be accepted", || {
        // Whoever was refused comes back.
        for (server, accepted) in servers.iter().zip(&mut accepted) {
            accepted.extend(server.accept_all(server.depth() as usize));
        }
        accepted.iter().map(Vec::len).sum::<usize>() == CLIENTS
    });
    drop(clients);

    let trace = scene.end(&servers.iter().collect::<Vec<_>>());
    let numbers: Vec<_> = trace.events.of("listen").map(|event| event.listener).collect();
    assert_eq!(numbers.len(), LISTENERS);
    for (number, accepted) in numbers.iter().zip(&accepted) {
        let events = trace.events.of_listener(*number);
        let told: BTreeSet<_> = events.of("accept").map(|event| event.client().unwrap()).collect();
        assert_eq!(told, accepted.iter().map(|accepted| accepted.client).collect());
    }
    let refused = trace.events.count("syn_refused");
    let group = trace.summary.text.lines().find(|line| line.contains("group of")).unwrap();
    let netns = namespace::inode();
    let begin =
        format!("{address}  group of {LISTENERS} listeners (SO_REUSEPORT), namespace {netns} (");
    let (place, counts) = group.split_once(&format!("): {CLIENTS} accepted (")).unwrap();
    let end = format!("), {refused} refused (");
    assert!(place.starts_with(&begin) && counts.contains(&end), "{group}");
    let parts = counts.split(')').next().unwrap().split(" + ");
    let mut parts: Vec<_> = parts.map(|part| part.parse::<usize>().unwrap()).collect();
    let mut counts: Vec<_> = accepted.iter().map(Vec::len).collect();
    parts.sort_unstable();
    counts.sort_unstable();
    assert_eq!(parts, counts, "{group}");
}
