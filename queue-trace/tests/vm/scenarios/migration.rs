//! A listener of a `SO_REUSEPORT` group closes, and another one takes over what it holds
//! (`tcp_migrate_req`); or there is none, or it may not, or it has no room.
//!
//! Fact 8 of kernel.md: 5.10 has the setting, but neither the behaviour nor the counters.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::{Place, Trace};
use crate::harness::wait;
use crate::harness::wire::Wire;

const PAUSE: Duration = Duration::from_millis(300);

/// What there is at each stage.
struct Stage<'a> {
    scene: &'a Scene,
    wire: &'a Wire,
    family: Family,
}

pub(super) fn run(family: Family) {
    if !Counters::read().has("TCPMigrateReqSuccess") {
        return;
    }
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let stage = Stage { scene: &scene, wire: &wire, family };
    sysctl::set("ipv4.tcp_migrate_req", 1);
    let (heir, times) = stage.everything();
    let quiet = stage.waiting_only();
    stage.nobody_left();
    let full = stage.no_room();
    sysctl::set("ipv4.tcp_migrate_req", 0);
    let idle = stage.feature_off();

    let trace = scene.end_with(&[&heir, &quiet, &full, &idle], wire.syns_sent());
    assert_everything(&trace, &heir, times);
    let of = |port| trace.events.at_port(port);
    assert_eq!(of(8002).count_because("migrated", "connection"), 2);
    let section = &trace.summary.at(quiet.address);
    let section = section.iter().find(|section| !section.closed).unwrap();
    assert_eq!(section.tally("came over"), 2);
    assert_eq!((section.accept_peak, section.counts["accept"]), (2, 2));

    let lost = |events: &Events| {
        let failed = events.count_because("migrated", "failed");
        (failed, events.count("migrated"), events.count("abandoned"))
    };
    assert_eq!(lost(&of(8003)), (1, 1, 1), "\n{}", of(8003));
    assert_eq!(lost(&of(8005)), (0, 0, 1), "\n{}", of(8005));
    assert_eq!(of(8005).count_because("request_expired", "listener_closed"), 1);
    let told: Vec<_> = of(8004).of("migrated").map(|event| event.reason.clone().unwrap()).collect();
    assert_eq!(told, ["connection", "failed", "request"]);
    assert_eq!(of(8004).count_because("ack_refused", "accept_queue_full"), 1);
}

impl Stage<'_> {
    /// A listener of a group, on every address.
    fn listen(&self, port: u16, backlog: i32) -> Server {
        Server::listen_in_group(self.family.wildcard(port), backlog)
    }

    /// Gives the client of a half-open request and its final ACK.
    fn half_open(&self, number: u16, port: u16) -> (SocketAddr, Vec<u8>) {
        let (client, server) = (self.wire.client(number), self.wire.server(port));
        let synack = self.wire.half_open(client, server);
        (client, packets::ack(client, server, synack.sequence.wrapping_add(1)))
    }

    /// Waiting connections, a half-open request by its final ACK, another one by its timer.
    fn everything(&self) -> (Server, [Instant; 3]) {
        let first = self.listen(8001, 2);
        let (answers, ack) = self.half_open(0, 8001);
        let (silent, late_ack) = self.half_open(1, 8001);
        first.fill(3);
        let full = Instant::now();
        std::thread::sleep(PAUSE);
        let heir = self.listen(8001, 10);
        let closing = Instant::now();
        drop(first);
        let closed = Instant::now();
        wait::until("three connections to migrate", || heir.depth() == 3);
        self.wire.send(&ack);
        let established = |events: &Events, client| events.of_client(client).count("established");
        self.scene.wait_for("a connection", |events| established(events, answers) == 1);
        self.scene.wait_for("a timer", |events| {
            events.of_client(silent).count_because("migrated", "request") == 1
        });
        self.wire.send(&late_ack);
        self.scene.wait_for("the other connection", |events| established(events, silent) == 1);
        heir.accept_all(5);
        (heir, [full, closing, closed])
    }

    fn waiting_only(&self) -> Server {
        let first = self.listen(8002, 5);
        first.fill(2);
        let heir = self.listen(8002, 5);
        drop(first);
        wait::until("two connections to migrate", || heir.depth() == 2);
        heir.accept_all(2);
        heir
    }

    fn nobody_left(&self) {
        let only = self.listen(8003, 5);
        only.fill(1);
        drop(only);
        self.scene.wait_for("its end", |events| events.at_port(8003).count("abandoned") == 1);
    }

    /// The final ACK finds the new listener full; the request's timer tries again.
    fn no_room(&self) -> Server {
        let first = self.listen(8004, 5);
        first.fill(1);
        let (client, ack) = self.half_open(4, 8004);
        let full = self.listen(8004, 0);
        drop(first);
        wait::until("a connection to migrate", || full.depth() == 1);
        self.wire.send(&ack);
        let of = |events: &Events, kind: &str| events.of_client(client).count(kind);
        self.scene.wait_for("a refusal", |events| of(events, "ack_refused") == 1);
        full.accept();
        self.scene.wait_for("a timer", |events| {
            events.at_port(8004).count_because("migrated", "request") == 1
        });
        self.wire.send(&ack);
        self.scene.wait_for("a connection", |events| of(events, "established") == 1);
        full.accept();
        full
    }

    /// A listener that closes leaves its group at once: nothing is tried, and nothing counted.
    fn feature_off(&self) -> Server {
        let first = self.listen(8005, 5);
        first.fill(1);
        self.half_open(5, 8005);
        let idle = self.listen(8005, 5);
        drop(first);
        self.scene.wait_for("both ends", |events| {
            let events = events.at_port(8005);
            events.count("abandoned") == 1 && events.count("request_expired") == 1
        });
        idle
    }
}

fn assert_everything(trace: &Trace, heir: &Server, [full, closing, closed]: [Instant; 3]) {
    let events = trace.events.at_port(8001);
    let numbers: Vec<_> = events.of("listen").map(|event| event.listener).collect();
    let (first, second) = (events.of_listener(numbers[0]), events.of_listener(numbers[1]));
    let count = |events: &Events, reason| events.count_because("migrated", reason);
    assert_eq!(["connection", "request", "failed"].map(|r| count(&first, r)), [3, 2, 0]);
    assert_eq!(second.count("migrated"), 0);
    assert_eq!((first.count("close"), first.count("abandoned")), (1, 0));
    assert_eq!((first.count("established"), second.count("established")), (3, 2));
    assert_eq!((first.count("accept"), second.count("accept")), (0, 5));
    for event in first.of("migrated") {
        assert!(event.client().is_some(), "{event:?}");
    }
    // The wait began at the listener that is gone.
    let waits = second.of("accept").map(|event| Duration::from_nanos(event.wait_ns.unwrap()));
    assert_eq!(waits.filter(|wait| *wait >= PAUSE).count(), 3 + 1, "\n{second}");

    let sections = trace.summary.at(heir.address);
    let section = |closed| sections.iter().find(|section| section.closed == closed).unwrap();
    assert_eq!((section(true).accept_peak, section(false).accept_peak), (3, 5));
    assert_eq!(section(false).tally("came over"), 5);
    let time_full = section(true).time_full().0;
    let rounding = Duration::from_millis(10);
    assert!(
        closing - full <= time_full + rounding && time_full <= closed - full + PAUSE,
        "full for {time_full:?}, the queue was for {:?} until it closed",
        closing - full
    );
}
