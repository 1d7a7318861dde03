//! SYNs from many addresses that never answer, under each way of the kernel to bear them.
//!
//! Facts of kernel.md: 7, the SYN queue is full above its limit on every kernel that is tested here;
//! 9, on 5.10 and 6.1 this is told by counters whose numbers differ from kernel to kernel; 11, from
//! 7.2 on the cookie is made before the route is looked up and counted later.

use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

const BACKLOG: u32 = 128;
const SYNS: u16 = 300;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let servers = [
        syn_queue_full(&scene, &wire),
        last_quarter(&scene, &wire),
        cookies_when_full(&scene, &wire),
        cookies_always(&scene, &wire),
    ];
    let trace = scene.end_with(&servers.each_ref(), wire.syns_sent());
    for server in &servers[..3] {
        let peak = trace.summary.only(server.address).syn_peak;
        assert_eq!(u64::from(peak), server_peak(&trace.events, server), "{}", server.address);
    }
}

/// Floods a new listener and gives it with its events.
fn flood(scene: &Scene, wire: &Wire, port: u16) -> (Server, Events) {
    let server = Server::listen(wire.server(port), BACKLOG as i32);
    wire.flood(0..SYNS, server.address);
    let outcomes = |events: &Events| {
        let events = events.at_port(port);
        ["syn_queued", "syn_cookie", "syn_refused"]
            .iter()
            .map(|kind| events.count(kind))
            .sum::<u64>()
    };
    scene.wait_for("an outcome of every SYN", |events| outcomes(events) == u64::from(SYNS));
    (server, scene.events().at_port(port))
}

fn server_peak(events: &Events, server: &Server) -> u64 {
    let events = events.at_port(server.address.port());
    events.of("syn_queued").map(|event| u64::from(event.syn_depth)).max().unwrap_or_default()
}

/// The queue grew by one to its bound and never above.
fn assert_bound(events: &Events, server: &Server, bound: u64) {
    assert_eq!(events.count("syn_queued"), bound, "\n{events}");
    let depths: Vec<_> = events.of("syn_queued").map(|e| u64::from(e.syn_depth)).collect();
    assert_eq!(depths, (1..=bound).collect::<Vec<_>>());
    assert_eq!(server.half_open(), bound);
}

/// Cookies off and plenty of room by `tcp_max_syn_backlog`: the limit binds.
fn syn_queue_full(scene: &Scene, wire: &Wire) -> Server {
    sysctl::set("ipv4.tcp_syncookies", 0);
    sysctl::set("ipv4.tcp_max_syn_backlog", 4096);
    let (server, events) = flood(scene, wire, 8001);
    let bound = u64::from(BACKLOG) + 1;
    let refused = u64::from(SYNS) - bound;
    assert_bound(&events, &server, bound);
    assert_eq!(events.count_because("syn_refused", "syn_queue_full"), refused, "\n{events}");
    assert_eq!(scene.moved("TCPReqQFullDrop"), refused);
    server
}

/// Cookies off and `tcp_max_syn_backlog` below the limit: its last quarter is kept for proven peers.
fn last_quarter(scene: &Scene, wire: &Wire) -> Server {
    const MAX_SYN_BACKLOG: u32 = 32;
    sysctl::set("ipv4.tcp_max_syn_backlog", MAX_SYN_BACKLOG);
    let full_before = scene.moved("TCPReqQFullDrop");
    let (server, events) = flood(scene, wire, 8002);
    let bound = u64::from(MAX_SYN_BACKLOG - MAX_SYN_BACKLOG / 4 + 1);
    let refused = u64::from(SYNS) - bound;
    assert_bound(&events, &server, bound);
    let reason = "syn_backlog_last_quarter";
    assert_eq!(events.count_because("syn_refused", reason), refused, "\n{events}");
    assert_eq!(scene.moved("TCPReqQFullDrop"), full_before);
    server
}

/// Cookies when the queue is full: beyond the bound, cookies; `tcp_max_syn_backlog` is idle.
fn cookies_when_full(scene: &Scene, wire: &Wire) -> Server {
    sysctl::set("ipv4.tcp_syncookies", 1);
    let (server, events) = flood(scene, wire, 8003);
    let bound = u64::from(BACKLOG) + 1;
    let cookies = u64::from(SYNS) - bound;
    assert_bound(&events, &server, bound);
    assert_eq!(events.count("syn_cookie"), cookies, "\n{events}");
    assert_eq!(scene.moved("SyncookiesSent"), cookies);
    assert_eq!(scene.moved("TCPReqQFullDoCookies"), cookies);
    server
}

/// Cookies always: nothing is queued; a cookie that comes back makes a connection while there is
/// room, and one that was never sent does not.
fn cookies_always(scene: &Scene, wire: &Wire) -> Server {
    const BACKLOG: u32 = 4;
    const VALID: u16 = BACKLOG as u16 + 1;
    const OVER: u16 = 2;
    const INVALID: u16 = 3;
    sysctl::set("ipv4.tcp_syncookies", 2);
    let server = Server::listen(wire.server(8004), BACKLOG as i32);
    let sent_before = scene.moved("SyncookiesSent");
    let synacks: Vec<_> = (0..VALID + OVER + INVALID)
        .map(|number| wire.half_open(wire.client(number), server.address))
        .collect();
    let (good, bad) = synacks.split_at(usize::from(VALID + OVER));
    for synack in good {
        wire.send(&packets::ack(synack.client, server.address, synack.sequence.wrapping_add(1)));
    }
    for synack in bad {
        let guess = synack.sequence.wrapping_add(1000);
        wire.send(&packets::ack(synack.client, server.address, guess));
        wire.reply(synack.client, |reply| reply.port == server.address.port() && reply.rst);
    }
    assert_eq!(server.accept_queue(), (BACKLOG + 1, BACKLOG));
    let accepted = server.accept_all(usize::from(VALID));
    let port = server.address.port();
    scene.wait_for("the accepts", |e| e.at_port(port).count("accept") == u64::from(VALID));

    let events = scene.events().at_port(port);
    assert_eq!(events.count("syn_queued"), 0, "\n{events}");
    assert_eq!(events.count("syn_cookie"), synacks.len() as u64);
    assert_eq!(scene.moved("SyncookiesSent") - sent_before, synacks.len() as u64);
    assert_eq!(events.count("cookie_valid"), u64::from(VALID));
    assert_eq!(events.count_because("ack_refused", "cookie_accept_queue_full"), u64::from(OVER));
    assert_eq!(events.count("cookie_invalid"), u64::from(INVALID));
    for (accepted, synack) in accepted.iter().zip(good) {
        assert_eq!(accepted.client, synack.client);
        let events = events.of_client(synack.client);
        assert!(events.only("accept").wait_ns.is_some(), "the wait after a cookie is timed");
        // The kernel keeps no time of a SYN-ACK with a cookie.
        assert_eq!(events.only("cookie_valid").handshake_ns, None);
    }
    server
}
