//! How deep the queues were, how long they were full, and how long the first connection has waited.

use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::packets;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::{Place, Tracer};
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
    wire.reply(wire.client(2), packets::Reply::is_synack);
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

/// Peaks and full times of each interval by itself; what still waits at its beginning belongs to it.
pub(super) fn since_last() {
    let arguments = ["--status", "1s", "--duration", "6s"];
    let tracer = Tracer::start(Place::Outside, namespace::inode(), &arguments);
    let server = Server::listen(Family::V4.loopback(8080), 2);
    let clients = server.fill(3);
    std::thread::sleep(Duration::from_millis(1500));
    server.accept_all(2);
    std::thread::sleep(Duration::from_millis(2200));
    server.accept();
    let trace = tracer.finish();
    drop(clients);

    let lines = trace.summary.text.lines().filter(|line| line.contains("  status  "));
    let lines: Vec<_> = lines.filter(|line| line.contains("127.0.0.1:8080")).collect();
    let peaks: Vec<u32> =
        lines.iter().map(|line| after(line, "at most ").parse().unwrap()).collect();
    let now: Vec<u32> =
        lines.iter().map(|line| after(line, "accept queue ").parse().unwrap()).collect();
    // Full with three, then one of them left, then none.
    assert!(peaks.starts_with(&[3, 3]) || peaks.starts_with(&[3, 3, 3]), "{lines:#?}");
    assert!(peaks.ends_with(&[1]), "the interval in which the last one was accepted: {lines:#?}");
    assert!(peaks.is_sorted_by(|a, b| a >= b) && now.is_sorted_by(|a, b| a >= b), "{lines:#?}");
    assert!(now.contains(&3) && now.contains(&1), "{lines:#?}");
    let full: Vec<_> = lines.iter().map(|line| after(line, "full for ")).collect();
    assert!(full[0] != "0 ns" && full.last() == Some(&"0 ns"), "{lines:#?}");
    let accepts = lines.iter().filter(|line| line.contains("; waits of accepted ones p99 <"));
    assert_eq!(accepts.count(), 2, "two were accepted in one interval, one in another: {lines:#?}");
    let waits = |line: &&&str| line.contains("; the first waits for ");
    assert!(lines.iter().filter(waits).count() >= 3, "{lines:#?}");
}

/// What follows these words, to the next comma or semicolon or " of ".
fn after<'a>(line: &'a str, words: &str) -> &'a str {
    let rest = &line[line.find(words).unwrap() + words.len()..];
    let end = [",", ";", " of "].iter().filter_map(|stop| rest.find(stop)).min().unwrap();
    &rest[..end]
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
