//! What refused clients paid: those that got in with a later try, and those that never did.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::summary::Section;
use crate::harness::tracer::Place;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    // At the first, two get in with their second try and two give up; at the other, one gets in with
    // its third, whenever that comes.
    let (first, other) = (family.loopback(8001), family.loopback(8002));
    let (first, other) = (Server::listen(first, 1), Server::listen(other, 0));
    first.fill(2);
    other.fill(1);
    let refused = |server: &Server, count| {
        let clients = Client::connect_many(server.address, count);
        let told = |events: &Events| {
            clients.iter().all(|c| events.of_client(c.address).count("syn_refused") >= 1)
        };
        scene.wait_for("refusals", told);
        clients
    };
    let patient = refused(&other, 1);
    let mut clients = refused(&first, 4);
    clients.split_off(2).into_iter().for_each(Client::reset);
    first.accept_all(2);
    scene.wait_for("two to get in", |events| {
        clients.iter().all(|c| events.of_client(c.address).count("established") == 1)
    });
    let last = patient[0].address;
    scene.wait_for("another refusal", |e| e.of_client(last).count("syn_refused") == 2);
    other.accept();
    scene.wait_for("the last to get in", |e| e.of_client(last).count("established") == 1);
    let begin = Instant::now();
    first.accept_all(2);
    // Those that gave up are overdue half a second after they should have come back.
    std::thread::sleep(Duration::from_millis(700).saturating_sub(begin.elapsed()));

    let trace = scene.end(&[&first, &other]);
    let told = |server: &Server| paid(trace.summary.only(server.address));
    assert_eq!(told(&first), "2 got in late: about 1 s 2; 2 never got in");
    let seconds = delay(&trace.events, last).as_secs_f64().round();
    assert!([2.0, 3.0].contains(&seconds), "its third try after {seconds} s?");
    assert_eq!(told(&other), format!("1 got in late: about {seconds} s 1; 0 never got in"));
}

fn paid(section: &Section) -> &str {
    section.row("refused clients").unwrap_or_else(|| panic!("{section:#?}"))
}

/// How long it took from the first refusal to the connection.
fn delay(events: &Events, client: SocketAddr) -> Duration {
    let events = events.of_client(client);
    let time = |event: &crate::harness::events::Event| {
        let time = event.time.split(['T', 'Z']).nth(1).unwrap();
        let units = time.split(':').map(|part| part.parse::<f64>().unwrap());
        units.fold(0.0, |sum, unit| sum * 60.0 + unit)
    };
    let first = time(events.of("syn_refused").next().unwrap());
    // Past midnight it would begin anew.
    Duration::from_secs_f64((time(events.only("established")) - first).rem_euclid(86_400.0))
}
