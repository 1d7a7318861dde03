//! How deep the queues were, how long they were full, and how long the first connection has waited.

use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wait;
use crate::harness::wire::Wire;

const PAUSE: Duration = Duration::from_millis(1200);

pub(super) fn run(family: Family) {
    sysctl::set("ipv4.tcp_synack_retries", 1);
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8001), 2);
    let idle = Server::listen(family.loopback(8002), 2);
    let mut full = (Duration::ZERO, Duration::ZERO);
    let mut clients = Vec::new();
    for depth in 1..=2 {
        clients.push(Timed::connect(&server, depth));
    }
    for round in 0..2 {
        let last = Timed::connect(&server, 3);
        std::thread::sleep(PAUSE);
        let leaving = Instant::now();
        server.accept();
        full.0 += leaving - last.waits;
        full.1 += last.client.called.elapsed();
        clients.push(last);
        assert_eq!(server.depth(), 2, "{round}");
    }
    clients.push(Timed::connect(&idle, 1));

    // A SYN queue that is full until its requests expire.
    let wire = Wire::lay(family);
    let flooded = Server::listen(wire.server(8003), 2);
    let begin = Instant::now();
    wire.flood(0..3, flooded.address);
    wire.reply(wire.client(2), |reply| reply.is_synack());
    let flooding = (Instant::now(), begin);
    wait::until("the first request's end", || flooded.half_open() < 3);
    let syn_full = (flooding.0.elapsed(), flooding.1.elapsed());
    wait::until("the end of the others", || flooded.half_open() == 0);
    scene.wait_for("three ends", |events| events.count("request_expired") == 3);

    let ending = Instant::now();
    let trace = scene.end_with(&[&server, &idle, &flooded], wire.syns_sent());
    let ended = Instant::now();
    let section = trace.summary.only(server.address);
    assert_eq!((section.accept_peak, section.syn_peak), (3, 1));
    let (accept, syn) = section.time_full();
    assert_between("accept queue full", accept, full);
    assert_eq!(syn, Duration::ZERO);
    // The third and the fourth client wait.
    let (count, oldest) = section.still_waiting();
    assert_eq!(count, 2);
    assert_between("oldest", oldest, clients[2].waited(ending, ended));

    let section = trace.summary.only(idle.address);
    assert_eq!((section.accept_peak, section.time_full()), (1, Default::default()));
    let (count, oldest) = section.still_waiting();
    assert_eq!(count, 1);
    assert_between("oldest", oldest, clients[4].waited(ending, ended));

    let section = trace.summary.only(flooded.address);
    assert_eq!((section.accept_peak, section.syn_peak), (0, 3));
    let (accept, syn) = section.time_full();
    assert_eq!(accept, Duration::ZERO);
    // The scenario looks at the queue every few milliseconds.
    let least = syn_full.0.saturating_sub(Duration::from_millis(500));
    assert_between("SYN queue full", syn, (least, syn_full.1));
    assert!(syn >= Duration::from_millis(2900), "{syn:?}: two timeouts, of 1 s and of 2 s");
}

/// A client, and when at the latest it was in the queue.
struct Timed {
    client: Client,
    waits: Instant,
}

impl Timed {
    /// Connects, and waits until the queue is that deep.
    fn connect(server: &Server, depth: u32) -> Self {
        let client = Client::connect(server.address);
        wait::until("a connection waiting", || server.depth() == depth);
        Self { client, waits: Instant::now() }
    }

    /// The least and the most that it has waited at a time between these two.
    fn waited(&self, earliest: Instant, latest: Instant) -> (Duration, Duration) {
        (earliest - self.waits, latest - self.client.called)
    }
}

fn assert_between(what: &str, told: Duration, (least, most): (Duration, Duration)) {
    // Three digits are shown.
    let rounding = Duration::from_millis(10);
    assert!(
        least <= told + rounding && told <= most + rounding,
        "{what}: {least:?} <= {told:?} <= {most:?}"
    );
}
