//! TCP Fast Open: connections made by a SYN, cookies asked for, and Fast Open's own queue full.
//!
//! Fact 10 of kernel.md: an attempt that fails leaves an ordinary SYN behind.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use etherparse::TcpOptionElement;

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::packets::{self, CLIENT_START};
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sockopt::set_tcp;
use crate::harness::sysctl;
use crate::harness::tracer::{Place, Trace};
use crate::harness::wait;
use crate::harness::wire::Wire;

/// Bits of `net.ipv4.tcp_fastopen`.
pub(super) const CLIENT_AND_SERVER: u32 = 3;
pub(super) const NO_COOKIE_NEEDED: u32 = 0x200;

const DATA: &[u8] = b"hello";
/// How long the server leaves a connection waiting.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn run(family: Family) {
    sysctl::set("ipv4.tcp_fastopen", CLIENT_AND_SERVER);
    let scene = Scene::begin(Place::Outside);
    let cookies = listen(family.loopback(8001), 5, 5);
    let (first, second) = (talk(&cookies), talk(&cookies));

    sysctl::set("ipv4.tcp_fastopen", CLIENT_AND_SERVER | NO_COOKIE_NEEDED);
    let wire = Wire::lay(family);
    let narrow = listen(wire.server(8002), 1, 2);
    let [accepted, full, again, refused] = [0, 1, 2, 3].map(|number| wire.client(number));
    // The client acknowledges nothing, so that its place in Fast Open's queue is not free.
    fast_open(&wire, accepted, &narrow);
    fast_open(&wire, full, &narrow);
    wait::until("a refusal", || scene.moved("TCPFastOpenListenOverflow") == 1);
    acknowledge_data(&wire, accepted, &narrow);
    fast_open(&wire, again, &narrow);
    acknowledge_data(&wire, again, &narrow);
    acknowledge(&wire, full, &narrow);
    wait::until("a full queue", || narrow.accept_queue() == (3, 2));
    fast_open(&wire, refused, &narrow);
    wait::until("a refusal", || scene.moved("ListenOverflows") == 1);
    // One is reset while it waits.
    wire.send(&packets::segment(again, narrow.address, |tcp| {
        tcp.sequence_number = CLIENT_START + 1 + DATA.len() as u32;
        tcp.rst = true;
    }));
    wait::until("a reset", || scene.moved("EstabResets") == 1);
    narrow.accept_all(3);

    let trace = scene.end_with(&[&cookies, &narrow], wire.syns_sent());
    assert_real(&trace, &cookies, &first, &second);
    let story = |client| {
        let events = trace.events.of_client(client);
        let told = events.0.iter().map(|e| (e.event.clone(), e.reason.clone()));
        told.filter(|(kind, _)| kind != "synack_retransmit").collect::<Vec<_>>()
    };
    let told = |story: &[(&str, Option<&str>)]| {
        let owned = |(kind, reason): &(&str, Option<&str>)| {
            ((*kind).to_owned(), reason.map(ToOwned::to_owned))
        };
        story.iter().map(owned).collect::<Vec<_>>()
    };
    assert_eq!(story(accepted), told(&[("syn_fastopen", None), ("accept", None)]));
    assert_eq!(story(full), told(&[("syn_queued", None), ("established", None), ("accept", None)]));
    assert_eq!(
        story(again),
        told(&[("syn_fastopen", None), ("accept", Some("reset_while_waiting"))])
    );
    assert_eq!(story(refused), told(&[("syn_refused", Some("accept_queue_full"))]));
    let section = trace.summary.only(narrow.address);
    assert_eq!(section.tally("found Fast Open's own queue full"), 1);
    assert_eq!(section.tally("asked for a Fast Open cookie"), 0);
    assert_eq!(section.accept_peak, 3);
}

/// A listener that takes Fast Open; `own` is the length of its queue for that.
pub(super) fn listen(address: SocketAddr, own: i32, backlog: i32) -> Server {
    let socket = Server::bound(address);
    set_tcp(&socket, libc::TCP_FASTOPEN, own);
    Server::start(socket, backlog)
}

/// A real client, and when its data was accepted.
struct Talk {
    client: Client,
    least: Duration,
    most: Duration,
}

fn talk(server: &Server) -> Talk {
    let socket = Client::socket(server.address);
    set_tcp(&socket, libc::TCP_FASTOPEN_CONNECT, 1);
    let called = Instant::now();
    // With a cookie, this connect() sends nothing: the data goes with the SYN.
    socket
        .connect(&server.address.into())
        .or_else(|error| {
            let under_way = error.raw_os_error() == Some(libc::EINPROGRESS);
            if under_way { Ok(()) } else { Err(error) }
        })
        .unwrap();
    wait::until("data to be taken", || (&socket).write(DATA).is_ok());
    let client = Client::begun(socket, called);
    client.wait_connected();
    wait::until("a connection waiting", || server.depth() == 1);
    let waits = Instant::now();
    std::thread::sleep(PAUSE);
    let accepted = server.accept();
    assert_eq!(accepted.read(DATA.len()), DATA);
    let (least, most) = accepted.wait_bounds(called, waits);
    Talk { client, least, most }
}

/// The first client asked for a cookie, the second one had it.
fn assert_real(trace: &Trace, server: &Server, first: &Talk, second: &Talk) {
    let asked = trace.events.of_client(first.client.address);
    let kinds: Vec<_> = asked.0.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["syn_queued", "established", "accept"]);
    let knew = trace.events.of_client(second.client.address);
    let kinds: Vec<_> = knew.0.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(kinds, ["syn_fastopen", "accept"]);
    for (events, talk) in [(asked, first), (knew, second)] {
        let wait = Duration::from_nanos(events.only("accept").wait_ns.unwrap());
        assert!(talk.least <= wait && wait <= talk.most, "{wait:?}: {:?}", events.0);
        assert!(wait >= PAUSE, "{wait:?}");
    }
    let section = trace.summary.only(server.address);
    assert_eq!(section.tally("asked for a Fast Open cookie"), 1);
}

/// A SYN with data and the empty Fast Open option.
pub(super) fn fast_open(wire: &Wire, client: SocketAddr, server: &Server) {
    let packet = packets::with_data(client, server.address, DATA, |tcp| {
        tcp.syn = true;
        // Room to send something back at all.
        tcp.set_options(&[TcpOptionElement::MaximumSegmentSize(1000)]).unwrap();
    });
    wire.crafted_syn(&packet);
}

/// Waits for the SYN-ACK and acknowledges it.
pub(super) fn acknowledge(wire: &Wire, client: SocketAddr, server: &Server) {
    let synack = wire.reply(client, packets::Reply::is_synack);
    let acknowledgment = synack.sequence.wrapping_add(1);
    wire.send(&packets::ack(client, server.address, acknowledgment));
}

/// The same of a SYN-ACK that acknowledges the data of the SYN.
fn acknowledge_data(wire: &Wire, client: SocketAddr, server: &Server) {
    let synack = wire.reply(client, packets::Reply::is_synack);
    assert_eq!(synack.acknowledgment, CLIENT_START + 1 + DATA.len() as u32);
    wire.send(&packets::segment(client, server.address, |tcp| {
        tcp.sequence_number = synack.acknowledgment;
        tcp.ack = true;
        tcp.acknowledgment_number = synack.sequence.wrapping_add(1);
    }));
}
