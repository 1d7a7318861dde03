//! The last quarter of `tcp_max_syn_backlog` is for peers that have proved themselves: the kernel has
//! measured a round trip of an earlier connection. Over a pair of veth devices.

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::veth;
use crate::harness::wait;

const MAX_SYN_BACKLOG: u32 = 32;
const SYNS: u16 = 40;
const DATA: &[u8] = b"hello";

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (wire, beyond) = veth::lay(family);
    let server = Server::listen(wire.server(8080), 128);
    let proof = beyond.run(|| Client::connect(server.address));
    let accepted = server.accept();
    proof.send(DATA);
    assert_eq!(accepted.read(DATA.len()), DATA);
    // The kernel writes down what it measured when the listener's side has closed last.
    drop(proof);
    wait::until("the client's end", || accepted.is_at_end());
    drop(accepted);
    std::thread::sleep(std::time::Duration::from_millis(100));

    sysctl::set("ipv4.tcp_syncookies", 0);
    sysctl::set("ipv4.tcp_max_syn_backlog", MAX_SYN_BACKLOG);
    wire.flood(0..SYNS, server.address);
    let bound = u64::from(MAX_SYN_BACKLOG - MAX_SYN_BACKLOG / 4 + 1);
    let refused = u64::from(SYNS) - bound;
    scene.wait_for("refusals", |events| events.count("syn_refused") == refused);
    // The one that is known gets in.
    let known = beyond.run(|| Client::connect(server.address));
    scene.wait_established(&known);
    server.accept();

    let trace = scene.end_with(&[&server], wire.syns_sent() + 2);
    let events = trace.events.of_client(known.address);
    let kinds: Vec<_> = events.0.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["syn_queued", "established", "accept"]);
    assert_eq!(u64::from(events.only("syn_queued").syn_depth), bound + 1);
    assert_eq!(trace.events.count_because("syn_refused", "syn_backlog_last_quarter"), refused);
    known.reset();
}
