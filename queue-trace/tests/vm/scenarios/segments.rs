//! What can come for a half-open request that is no final ACK, from a client beyond a pair of veth
//! devices.

use std::net::SocketAddr;

use etherparse::TcpHeader;

use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::packets::{self, CLIENT_START, Reply};
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::veth;
use crate::harness::wait;
use crate::harness::wire::Wire;

/// More than the window that listeners offer (`rsk_rcv_wnd`, at most 65,535).
const FAR: u32 = 1_000_000;

struct Stage {
    scene: Scene,
    wire: Wire,
    to: SocketAddr,
}

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let (wire, _beyond) = veth::lay(family);
    let stage = Stage { scene, to: wire.server(8080), wire };
    let server = Server::listen(family.wildcard(8080), 20);
    let clients: Vec<_> = (0..9).map(|number| stage.wire.client(number)).collect();
    let [far, syn, bare, near_rst, far_rst, icmp, twice, guess, good] = clients[..] else {
        unreachable!()
    };
    stage.second(far, |tcp| tcp.sequence_number = CLIENT_START + FAR);
    stage.wire.reply(far, |reply| !reply.syn && !reply.rst);
    stage.second(bare, |tcp| tcp.ack = false);
    stage.second(far_rst, |tcp| {
        (tcp.rst, tcp.ack) = (true, false);
        tcp.sequence_number = CLIENT_START + FAR;
    });
    stage.second(syn, |tcp| {
        (tcp.syn, tcp.ack) = (true, false);
        tcp.sequence_number = CLIENT_START + 100;
    });
    stage.wire.reply(syn, |reply| reply.rst);
    let killed = stage.rst_inside_window(near_rst);
    stage.icmp_of_no_consequence(icmp);
    stage.wire.half_open(twice, stage.to);
    stage.wire.syn(twice, stage.to);
    stage.wire.syn(twice, stage.to);
    let synack = stage.wire.half_open(guess, stage.to);
    stage.wire.send(&packets::ack(guess, stage.to, synack.sequence.wrapping_add(FAR)));
    stage.wire.reply(guess, |reply| reply.rst);
    let synack = stage.wire.half_open(good, stage.to);
    stage.wire.send(&packets::ack(good, stage.to, synack.sequence.wrapping_add(1)));
    assert_eq!(server.accept().client, good);

    let Stage { scene, wire, .. } = stage;
    assert_eq!(scene.moved("EmbryonicRsts"), 1 + u64::from(killed));
    assert_eq!(scene.moved("ListenDrops"), 0);
    let trace = scene.end_with(&[&server], wire.syns_sent());
    let ignored = ("ack_ignored", Some("unacceptable_segment"));
    let queued = ("syn_queued", None);
    let of = |client| trace.events.of_client(client);
    for client in [far, bare, far_rst] {
        assert_story(&of(client), &[queued, ignored]);
    }
    let reset = ("request_expired", Some("reset_by_client"));
    assert_story(&of(syn), &[queued, reset]);
    assert_story(&of(near_rst), &[queued, if killed { reset } else { ignored }]);
    assert_story(&of(icmp), &[queued]);
    let again = ("syn_duplicate", Some("retransmitted"));
    // The second one within half a second is not answered (`tcp_invalid_ratelimit`).
    assert_story(&of(twice), &[queued, ("synack_retransmit", None), again, again]);
    assert_story(&of(guess), &[queued, ("ack_ignored", Some("bad_ack_number"))]);
    assert_story(&of(good), &[queued, ("established", None), ("accept", None)]);
    for event in trace.events.of("request_expired") {
        assert_eq!((event.acked, event.retransmit), (Some(false), Some(0)), "{event:?}");
        assert!(event.age_ns.is_some(), "{event:?}");
    }
}

impl Stage {
    /// Sends a SYN, and after its SYN-ACK what an ordinary ACK becomes by `shape`; waits until that
    /// has been dealt with.
    fn second(&self, client: SocketAddr, shape: impl FnOnce(&mut TcpHeader)) {
        let synack = self.wire.half_open(client, self.to);
        self.wire.send(&packets::segment(client, self.to, |tcp| {
            tcp.sequence_number = CLIENT_START + 1;
            tcp.ack = true;
            tcp.acknowledgment_number = synack.sequence.wrapping_add(1);
            shape(tcp);
        }));
        self.scene.wait_for("what became of a segment", |e| e.of_client(client).0.len() >= 2);
    }

    /// A RST in the window but not at its beginning ends a request on older kernels; newer ones answer
    /// with a challenge (kernel.md section 5.4, number 5). Whether it ended.
    fn rst_inside_window(&self, client: SocketAddr) -> bool {
        self.second(client, |tcp| {
            (tcp.rst, tcp.ack) = (true, false);
            tcp.sequence_number = CLIENT_START + 100;
        });
        self.scene.events().of_client(client).count("request_expired") == 1
    }

    /// An ICMP error that does not quote our SYN-ACK's number drops nothing.
    fn icmp_of_no_consequence(&self, client: SocketAddr) {
        let synack = self.wire.half_open(client, self.to);
        let other = Reply { sequence: synack.sequence.wrapping_add(FAR), ..synack };
        self.wire.send(&packets::unreachable(&other, self.to));
        wait::until("an ICMP error", || self.scene.moved("OutOfWindowIcmps") >= 1);
    }
}

/// These came first for a client, in this order; later SYN-ACKs may be sent again.
fn assert_story(events: &Events, story: &[(&str, Option<&str>)]) {
    let told: Vec<_> =
        events.0.iter().map(|event| (event.event.as_str(), event.reason.as_deref())).collect();
    assert!(told.starts_with(story), "{told:?} instead of {story:?}");
    assert!(told[story.len()..].iter().all(|(kind, _)| *kind == "synack_retransmit"), "{told:?}");
}
