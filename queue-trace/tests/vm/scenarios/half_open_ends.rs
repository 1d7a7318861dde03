//! What else can come for a half-open request, or in its place.
//!
//! Fact 10 of kernel.md: `ListenDrops` also counts SYNs to addresses of no single host, and requests
//! that an ICMP error ends.

use crate::harness::destroy::destroy;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wire::Wire;

pub(super) fn run(family: Family) {
    // Five minutes after boot, when its clock of jiffies passes zero, the kernel takes any listener
    // for one that has just sent cookies, and a wrong number for a bad cookie.
    sysctl::set("ipv4.tcp_syncookies", 0);
    let scene = Scene::begin(Place::Outside);
    let wire = Wire::lay(family);
    let server = Server::listen(family.wildcard(8080), 5);
    let to = wire.server(8080);
    let [sent_to_all, reset, unreachable, repeated, guessed, destroyed] =
        [0, 1, 2, 3, 4, 5].map(|n| wire.client(n));

    wire.syn(sent_to_all, wire.everybody(8080));
    wire.half_open(reset, to);
    wire.send(&packets::rst(reset, to));
    let synack = wire.half_open(unreachable, to);
    wire.send(&packets::unreachable(&synack, to));
    assert_eq!(scene.moved("ListenDrops"), 2, "one SYN to all, one ICMP error");
    assert_eq!(scene.moved("EmbryonicRsts"), 1);
    wire.half_open(destroyed, to);
    destroy(to, destroyed);
    assert_eq!(server.half_open(), 0);
    wire.half_open(repeated, to);
    wire.syn(repeated, to);
    let synack = wire.half_open(guessed, to);
    wire.send(&packets::ack(guessed, to, synack.sequence.wrapping_add(1000)));
    wire.reply(guessed, |reply| reply.rst);
    assert_eq!(server.half_open(), 2);

    let trace = scene.end_with(&[&server], wire.syns_sent());
    let of = |client| trace.events.of_client(client);
    assert_story(&of(sent_to_all), &[("syn_refused", Some("not_unicast"))]);
    assert_story(&of(reset), &[("syn_queued", None), ("request_expired", Some("reset_by_client"))]);
    assert_story(
        &of(unreachable),
        &[("syn_queued", None), ("request_expired", Some("icmp_error"))],
    );
    assert_story(&of(destroyed), &[("syn_queued", None), ("request_expired", Some("aborted"))]);
    assert_story(
        &of(repeated),
        &[
            ("syn_queued", None),
            ("synack_retransmit", None),
            ("syn_duplicate", Some("retransmitted")),
        ],
    );
    assert_story(&of(guessed), &[("syn_queued", None), ("ack_ignored", Some("bad_ack_number"))]);
    assert!(trace.events.0.iter().all(|event| event.listener == trace.events.0[0].listener));
}

/// These came first for a client, in this order; later SYN-ACKs may be sent again.
fn assert_story(events: &Events, story: &[(&str, Option<&str>)]) {
    let told: Vec<_> =
        events.0.iter().map(|event| (event.event.as_str(), event.reason.as_deref())).collect();
    assert!(told.starts_with(story), "{told:?} instead of {story:?}");
    assert!(told[story.len()..].iter().all(|(kind, _)| *kind == "synack_retransmit"), "{told:?}");
}
