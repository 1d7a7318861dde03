//! TCP Fast Open without memory for its connections: an attempt fails, and its SYN is queued like any other.
//!
//! The kernel counts a drop then, as it does for a SYN that MPTCP refuses.

use std::net::SocketAddr;

use socket2::Socket;

use super::fastopen::{self, CLIENT_AND_SERVER, NO_COOKIE_NEEDED};
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::identities::FALLBACK;
use crate::harness::mptcp;
use crate::harness::packets;
use crate::harness::scarcity::Scarcity;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sockopt;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wait;
use crate::harness::wire::Wire;

/// Half-open requests, of which every other one ends.
const OTHERS: u16 = 1000;
/// More than there is room for, of connections or of requests.
const ATTEMPTS: u16 = 500;
/// More sockets than the kernel has room for in pages that those of other tests have left.
const SOCKETS: usize = 800;
/// Enough of them to have met all code that the others run.
const BEFORE: usize = 50;
/// Any will do where none is needed (RFC 7413, section 4.1.1).
const COOKIE: [u8; 12] = [34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1];
const BACKLOG: i32 = 4096;

pub(super) fn run(family: Family) {
    attempt(family, Server::bound);
}

pub(super) fn mptcp(family: Family) {
    // From Linux 6.2 on.
    if mptcp::is_there() && allow_attempts(&mptcp::bound(family.loopback(8080))) {
        attempt(family, mptcp::bound);
    }
}

fn attempt(family: Family, bound: fn(SocketAddr) -> Socket) {
    sysctl::set("ipv4.tcp_fastopen", CLIENT_AND_SERVER | NO_COOKIE_NEEDED);
    sysctl::set("ipv4.tcp_syncookies", 0);
    sysctl::set("ipv4.tcp_max_syn_backlog", BACKLOG as u32);
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let socket = bound(wire.server(8080));
    assert!(allow_attempts(&socket));
    let server = Server::start(socket, BACKLOG);
    make_room(&wire, &server);
    let leave_no_room: Vec<_> = (0..SOCKETS).map(|_| Client::socket(server.address)).collect();
    let clients: Vec<_> = (OTHERS..OTHERS + ATTEMPTS).map(|number| wire.client(number)).collect();
    without_memory(&scene, &wire, &server, &clients);
    let moved = ["TCPFastOpenPassive", "TCPFastOpenPassiveFail", "ListenDrops"];
    let [made, failed, dropped] = moved.map(|counter| scene.moved(counter));
    assert!(failed > 0, "{made} made, {dropped} dropped");
    acknowledge(&scene, &wire, &server, &clients);
    drop(leave_no_room);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let events = &trace.events;
    assert_eq!(events.count("syn_fastopen"), made);
    assert_eq!(events.count("syn_queued"), u64::from(OTHERS) + failed);
    // Each attempt that failed was counted as a drop, too.
    let refused = dropped - failed;
    assert_eq!(events.count_because("syn_refused", "no_memory"), refused);
    assert_eq!(made + failed + refused, u64::from(ATTEMPTS));
    assert_eq!(trace.summary.only(server.address).tally(FALLBACK), failed);
}

/// Whether the listener takes Fast Open, with more attempts under way than there will be.
fn allow_attempts(socket: &Socket) -> bool {
    sockopt::set(socket, libc::TCP_FASTOPEN, &BACKLOG).is_ok()
}

/// Has the kernel keep pages with room for requests, each for another request in it: else these would run out as
/// soon as connections.
fn make_room(wire: &Wire, server: &Server) {
    wire.flood(0..OTHERS, server.address);
    wait::until("requests", || server.half_open() == u64::from(OTHERS));
    for number in (0..OTHERS).step_by(2) {
        wire.send(&packets::rst(wire.client(number), server.address));
    }
    wait::until("every other one to end", || server.half_open() == u64::from(OTHERS / 2));
    wire.drain();
}

fn without_memory(scene: &Scene, wire: &Wire, server: &Server, clients: &[SocketAddr]) {
    let attempt = |client: &SocketAddr| {
        wire.crafted_syn(&packets::segment(*client, server.address, |tcp| {
            tcp.syn = true;
            // Instead of data, which a connection would keep in memory.
            tcp.set_options_raw(&COOKIE).unwrap();
        }));
        // So would an answer that nobody takes.
        wire.drain();
    };
    let scarcity = Scarcity::prepare();
    let (before, rest) = clients.split_at(BEFORE);
    before.iter().for_each(attempt);
    // To read events takes memory.
    wait_for_outcomes(scene, wire);
    scene.paused(|| scarcity.during(|| rest.iter().for_each(attempt)));
}

/// Acknowledges each connection that was made: until then the kernel lists it as half-open.
fn acknowledge(scene: &Scene, wire: &Wire, server: &Server, clients: &[SocketAddr]) {
    wait_for_outcomes(scene, wire);
    let events = scene.events();
    let is_made = |client: &&SocketAddr| events.of_client(**client).count("syn_fastopen") == 1;
    for client in clients.iter().filter(is_made) {
        fastopen::acknowledge(wire, *client, server);
    }
}

fn wait_for_outcomes(scene: &Scene, wire: &Wire) {
    let kinds = ["syn_queued", "syn_fastopen", "syn_refused"];
    scene.wait_for("an outcome of every SYN", |events| {
        kinds.iter().map(|kind| events.count(kind)).sum::<u64>() == wire.syns_sent()
    });
}
