//! The same segment on two processors at the same time: one of them makes the request or the connection,
//! the other one comes too late, and neither counts twice.
//!
//! Linux 5.10 queues a request for each of two SYNs that it takes at the same time, and answers the final
//! ACK of one of them with a RST (`inet_csk_reqsk_queue_hash_add` returns nothing). There, SYNs come alone.

use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

/// After so many clients both races should have been seen.
const MOST: u16 = 2000;
/// So many clients between two looks at what was seen.
const ROUND: u16 = 50;

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let server = Server::listen(family.wildcard(8080), 5);
    let to = wire.server(8080);
    let races = races();
    let seen = || {
        let events = scene.events();
        races.iter().all(|(kind, reason)| events.count_because(kind, reason) > 0)
    };
    let mut clients = 0;
    while clients < MOST && !seen() {
        for number in clients..clients + ROUND {
            let client = wire.client(number);
            match races.len() {
                1 => wire.syn(client, to),
                _ => wire.syn_twice(client, to),
            }
            let answer = wire.reply(client, |reply| reply.port == to.port() && reply.is_synack());
            wire.send_twice(&packets::ack(client, to, answer.sequence.wrapping_add(1)));
            let accepted = server.accept();
            assert_eq!(accepted.client, client);
            accepted.reset();
        }
        clients += ROUND;
    }

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let events = &trace.events;
    if program::by_kprobes() {
        // Where skipped probes hide some, the books have told what is left.
        return;
    }
    for kind in ["syn_queued", "established", "accept"] {
        assert_eq!(events.count(kind), u64::from(clients), "{kind}\n{events}");
    }
    for (kind, reason) in races {
        let count = events.count_because(kind, reason);
        assert!(count > 0, "no {reason} among {clients} clients\n{events}");
        assert!(count <= u64::from(clients), "{reason}\n{events}");
    }
}

/// Events and reasons of the races that this kernel can lose.
fn races() -> &'static [(&'static str, &'static str)] {
    const RACES: &[(&str, &str)] =
        &[("ack_ignored", "taken_by_another_cpu"), ("syn_duplicate", "queued_by_another_cpu")];
    let uname = rustix::system::uname();
    if uname.release().to_bytes().starts_with(b"5.10.") { &RACES[..1] } else { RACES }
}
