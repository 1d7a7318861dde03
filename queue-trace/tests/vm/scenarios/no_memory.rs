//! A kernel that has no memory for half-open requests: it drops SYNs although both queues have room.

use crate::harness::family::Family;
use crate::harness::scarcity::Scarcity;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

/// More than the slab of requests has room for in the pages that it holds, several times.
const SYNS: u16 = 600;
/// Enough to have met all code that the others run.
const BEFORE: u16 = 50;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    sysctl::set("ipv4.tcp_syncookies", 0);
    sysctl::set("ipv4.tcp_max_syn_backlog", 4096);
    let server = Server::listen(wire.server(8080), 4096);
    let scarcity = Scarcity::prepare();
    let send = |number| {
        wire.syn(wire.client(number), server.address);
        // An answer that nobody takes keeps memory.
        wire.drain();
    };
    (0..BEFORE).for_each(send);
    scene.paused(|| scarcity.during(|| (BEFORE..SYNS).for_each(send)));
    let refused = scene.moved("ListenDrops");
    assert!((1..u64::from(SYNS - BEFORE)).contains(&refused), "{refused} refused");
    scene.wait_for("an outcome of every SYN", |events| {
        events.count("syn_queued") + events.count("syn_refused") == u64::from(SYNS)
    });
    assert_eq!(server.half_open(), u64::from(SYNS) - refused);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    assert_eq!(trace.events.count_because("syn_refused", "no_memory"), refused);
    assert_eq!(trace.events.count("syn_queued"), u64::from(SYNS) - refused);
}
