//! Handshakes that are not finished, forged, held back, or lost on the way.

use super::{Report, doctor};
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::packets::{self, Reply};
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::wait;
use crate::harness::wire::Wire;
use crate::scenarios::fastopen::{CLIENT_AND_SERVER, NO_COOKIE_NEEDED, fast_open, listen};

pub(in crate::scenarios) fn run() {
    sysctl::set("core.somaxconn", 4096);
    let wire = Wire::lay(Family::V4);
    let doctor = doctor(&["--fail-on", "warning"]);
    let (lossy, calm) = vanished_clients(&wire);
    let [refusing, rush] = without_cookies(&wire);
    let [bound, unbound] = last_quarter(&wire);
    let [cookies, few_cookies] = with_cookies(&wire);
    let [forged, few_forged] = bad_cookies(&wire);
    let [deferring, few_deferred] = deferred(&wire);
    let [narrow, roomy] = fastopen(&wire);
    // The SYN-ACKs of the vanished clients are sent again after a second.
    let mut sent = 0;
    let twice = usize::from(VANISHED) * 2;
    wait::until("SYN-ACKs to be sent again", || count_synacks(&wire, &lossy, &mut sent) >= twice);
    let (success, report) = Report::of(doctor);

    assert!(!success, "--fail-on warning");
    report.assert("lossy_path", &lossy, &calm);
    report.assert("syn_flood", &refusing, &rush);
    assert_eq!(report.only(&refusing)["severity"], "critical");
    report.assert("syn_rush", &rush, &refusing);
    report.assert("syn_backlog", &bound, &unbound);
    report.assert("syn_flood", &cookies, &few_cookies);
    assert_eq!(report.only(&cookies)["severity"], "warning");
    let said = report.says(&cookies, "syn_flood").unwrap();
    assert!(said["evidence"]["addresses"].as_u64().unwrap() > 1, "{said:#}");
    report.assert("ack_flood", &forged, &few_forged);
    report.assert("deferred", &deferring, &few_deferred);
    report.assert("fastopen_limit", &narrow, &roomy);
    // What is held back is not taken for loss.
    assert_eq!(report.says(&deferring, "lossy_path"), None);
}

/// Clients of which nothing is heard after their SYN.
const VANISHED: u16 = 12;

fn vanished_clients(wire: &Wire) -> (Server, Server) {
    sysctl::set("ipv4.tcp_syncookies", 1);
    let lossy = Server::listen(wire.server(8001), 100);
    let calm = Server::listen(wire.server(8002), 100);
    for (server, clients) in [(&lossy, VANISHED), (&calm, 3)] {
        for number in 0..clients {
            wire.half_open(wire.client(number), server.address);
        }
    }
    (lossy, calm)
}

/// Counts the SYN-ACKs of a server that have gone out; some went before, one to each client.
fn count_synacks(wire: &Wire, server: &Server, count: &mut usize) -> usize {
    let ours = |reply: &&Reply| reply.port == server.address.port() && reply.is_synack();
    *count += wire.answers().iter().filter(ours).count();
    *count
}

/// `tcp_syncookies` is 0: a flood, and a few real clients at once.
fn without_cookies(wire: &Wire) -> [Server; 2] {
    sysctl::set("ipv4.tcp_syncookies", 0);
    sysctl::set("ipv4.tcp_max_syn_backlog", 4096);
    let flooded = Server::listen(wire.server(8003), 10);
    wire.flood(0..80, flooded.address);
    wait::until("refusals", || Counters::read().get("TCPReqQFullDrop") >= 60);
    let rushed = Server::listen(wire.server(8004), 2);
    let real: Vec<_> = (0..3).map(|n| wire.half_open(wire.client(n), rushed.address)).collect();
    let before = Counters::read().get("TCPReqQFullDrop");
    wire.flood(3..4, rushed.address);
    wait::until("a refusal", || Counters::read().get("TCPReqQFullDrop") > before);
    real.iter().for_each(|synack| acknowledge(wire, synack, &rushed, 1));
    wait::until("connections", || rushed.depth() == 3);
    [flooded, rushed]
}

/// `tcp_max_syn_backlog` below what the backlog allows.
fn last_quarter(wire: &Wire) -> [Server; 2] {
    sysctl::set("ipv4.tcp_max_syn_backlog", 32);
    let unbound = Server::listen(wire.server(8006), 100);
    wire.flood(0..10, unbound.address);
    wait::until("requests", || unbound.half_open() == 10);
    let bound = Server::listen(wire.server(8005), 100);
    let before = Counters::read().get("ListenDrops");
    wire.flood(0..40, bound.address);
    wait::until("refusals", || Counters::read().get("ListenDrops") >= before + 10);
    sysctl::set("ipv4.tcp_max_syn_backlog", 4096);
    [bound, unbound]
}

/// `tcp_syncookies` is 1: what the SYN queue does not hold gets cookies.
fn with_cookies(wire: &Wire) -> [Server; 2] {
    sysctl::set("ipv4.tcp_syncookies", 1);
    [(8007, 80), (8008, 30)].map(|(port, syns)| {
        let server = Server::listen(wire.server(port), 10);
        let before = Counters::read().get("SyncookiesSent");
        wire.flood(0..syns, server.address);
        let cookies = u64::from(syns) - 11;
        wait::until("cookies", || Counters::read().get("SyncookiesSent") >= before + cookies);
        server
    })
}

/// ACKs with what is no cookie, of clients that were sent one.
fn bad_cookies(wire: &Wire) -> [Server; 2] {
    sysctl::set("ipv4.tcp_syncookies", 2);
    let servers = [(8009, 60), (8010, 5)].map(|(port, clients)| {
        let server = Server::listen(wire.server(port), 10);
        let before = Counters::read().get("SyncookiesFailed");
        for number in 0..clients {
            let synack = wire.half_open(wire.client(number), server.address);
            acknowledge(wire, &synack, &server, 77);
        }
        let clients = u64::from(clients);
        wait::until("bad cookies", || Counters::read().get("SyncookiesFailed") >= before + clients);
        server
    });
    sysctl::set("ipv4.tcp_syncookies", 1);
    servers
}

/// `TCP_DEFER_ACCEPT`, and clients that say nothing.
fn deferred(wire: &Wire) -> [Server; 2] {
    [(8011, 12), (8012, 5)].map(|(port, clients)| {
        let server = Server::listen_deferring(wire.server(port), 100);
        let before = Counters::read().get("TCPDeferAcceptDrop");
        for number in 0..clients {
            let synack = wire.half_open(wire.client(number), server.address);
            acknowledge(wire, &synack, &server, 1);
        }
        let clients = u64::from(clients);
        wait::until("ACKs to be held back", || {
            Counters::read().get("TCPDeferAcceptDrop") >= before + clients
        });
        server
    })
}

/// Fast Open, with a queue of one: for two clients, and for one.
fn fastopen(wire: &Wire) -> [Server; 2] {
    sysctl::set("ipv4.tcp_fastopen", CLIENT_AND_SERVER | NO_COOKIE_NEEDED);
    [(8013, 2), (8014, 1)].map(|(port, clients)| {
        let server = listen(wire.server(port), 1, 5);
        let before = Counters::read().get("TCPFastOpenListenOverflow");
        (0..clients).for_each(|number| fast_open(wire, wire.client(number), &server));
        let ordinary = u64::from(clients) - 1;
        wait::until("both kinds of handshake", || {
            let full = Counters::read().get("TCPFastOpenListenOverflow") - before;
            server.depth() == 1 && full == ordinary
        });
        server
    })
}

/// An ACK of so many numbers more than the SYN-ACK had: one is right.
fn acknowledge(wire: &Wire, synack: &Reply, server: &Server, more: u32) {
    let number = synack.sequence.wrapping_add(more);
    wire.send(&packets::ack(synack.client, server.address, number));
}
