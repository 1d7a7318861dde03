//! Listeners on one port: one for every address, one for one address, one for one device. Each has
//! its own clients, and they are no group.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::namespace::ip;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::veth;

const PORT: u16 = 8080;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (wire, beyond) = veth::lay(family);
    let other: IpAddr = match family {
        Family::V4 => Ipv4Addr::new(127, 0, 0, 2).into(),
        Family::V6 => Ipv6Addr::new(0xfd08, 0, 0, 0, 0, 0, 0, 1).into(),
    };
    if family == Family::V6 {
        ip(&["-6", "addr", "add", "fd08::1/128", "dev", "lo"]);
    }
    let (wildcard, loopback) = (family.wildcard(PORT), family.loopback(PORT));
    // Of listeners with SO_REUSEPORT the kernel takes the first that fits, not the best, and it puts the
    // latest of IPv4 in front, of IPv6 at the end.
    let on_device = || Server::listen_on_device(wildcard, "wire", 5);
    let everywhere = || Server::listen_in_group(wildcard, 5);
    let (device, everybody) = match family {
        Family::V6 => (on_device(), everywhere()),
        Family::V4 => {
            let everybody = everywhere();
            (on_device(), everybody)
        }
    };
    let address = Server::listen_in_group(loopback, 5);

    // The far ones come from a namespace whose SYNs are not ours.
    let here = wire.server(PORT);
    let far = beyond.run(|| Client::connect_many(here, 3));
    let mut clients = Client::connect_many(loopback, 1);
    clients.extend(Client::connect_many((other, PORT).into(), 2));
    clients.extend(far);
    scene.wait_for("all connections", |events| events.count("established") == 6);
    let servers = [&device, &everybody, &address];
    assert_eq!(servers.map(Server::depth), [3, 2, 1], "\n{}", scene.events());
    for server in servers {
        server.accept_all(server.depth() as usize);
    }

    let trace = scene.end_with(&servers, 3);
    let mut numbers: Vec<_> = trace.events.of("listen").map(|event| event.listener).collect();
    if family == Family::V4 {
        numbers.swap(0, 1);
    }
    let accepts = numbers.iter().map(|number| trace.events.of_listener(*number).count("accept"));
    assert_eq!(accepts.collect::<Vec<_>>(), [3, 2, 1], "\n{}", trace.events);
    assert!(!trace.summary.text.contains("group of"), "\n{}", trace.summary.text);
    assert_eq!(trace.summary.at(wildcard).len(), 2);
    reset_all(clients);
}
