//! Many clients, several accepting threads and several accepting processes at once, on two processors
//! and at a queue that overflows now and then: every connection is counted once, at whoever took it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::acceptors::Process;
use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::netstat::{self, FIN_WAIT1};
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::Place;
use crate::harness::wait;

const BACKLOG: i32 = 64;
const CLIENT_THREADS: usize = 4;
const ROUNDS: usize = 25;
/// Clients that one thread has connect at a time.
const AT_ONCE: usize = 25;
const ACCEPTORS: usize = 2;
const LEAST: u64 = 2000;

pub(super) fn run(family: Family) {
    // Where the guest is held up, a SYN that was sent again can come when its client is done. What it makes is
    // given up after seven seconds.
    sysctl::set("ipv4.tcp_synack_retries", 2);
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), BACKLOG);
    let mut processes: Vec<_> = (0..ACCEPTORS).map(|_| Process::accepting(&server)).collect();
    let done = AtomicBool::new(false);
    let by_threads: u64 = thread::scope(|scope| {
        let accept = || accept_until(&server, &done);
        let acceptors: Vec<_> = (0..ACCEPTORS).map(|_| scope.spawn(accept)).collect();
        let clients: Vec<_> =
            (0..CLIENT_THREADS).map(|_| scope.spawn(|| connect(&server))).collect();
        clients.into_iter().for_each(|thread| thread.join().unwrap());
        // A client whose final ACK found the queue full takes itself for connected: its FIN, sent again, brings it in.
        // Some are not answered for minutes, which nobody here waits for: each is sent half as often as before.
        let enough = Instant::now() + Duration::from_secs(20);
        let left = || netstat::in_state(FIN_WAIT1) == 0 || Instant::now() > enough;
        wait::until("empty queues and clients that are done", || {
            server.depth() == 0 && server.half_open() == 0 && left()
        });
        processes.iter_mut().for_each(Process::end);
        done.store(true, Ordering::Relaxed);
        // Each lets one thread go.
        let _last = Client::connect_many(server.address, ACCEPTORS);
        acceptors.into_iter().map(|thread| thread.join().unwrap()).sum()
    });

    let trace = scene.end(&[&server]);
    let events = &trace.events;
    let by = |pid: u32| events.of("accept").filter(|event| event.pid == Some(pid)).count() as u64;
    let slack = trace.summary.slack();
    let agree = |what: &str, told: u64, right: u64| {
        assert!(told.abs_diff(right) <= slack, "{what}: {told}, and not {right}");
    };
    agree("accepts by threads", by(std::process::id()), by_threads);
    for process in &processes {
        agree("accepts by a process", by(process.pid()), process.accepted());
    }
    let accepted = by_threads + processes.iter().map(Process::accepted).sum::<u64>();
    agree("accepts", events.count("accept"), accepted);
    // A SYN queue that is full for a moment makes some by cookie.
    let entered = events.count("established") + events.count("cookie_valid");
    agree("entries, of which none waits and none was abandoned", entered, accepted);
    assert!(accepted >= LEAST, "only {accepted} accepted");
    assert_waits(events);
}

/// Accepts until it is enough; gives how many.
fn accept_until(server: &Server, done: &AtomicBool) -> u64 {
    let mut accepted = 0;
    loop {
        server.accept();
        accepted += 1;
        if done.load(Ordering::Relaxed) {
            return accepted;
        }
    }
}

/// Has clients connect. They leave at once, half of them with a RST.
fn connect(server: &Server) {
    for round in 0..ROUNDS {
        let clients = Client::connect_many(server.address, AT_ONCE);
        wait::until("connections", || clients.iter().all(Client::was_connected));
        if round % 2 == 0 {
            clients.into_iter().for_each(Client::reset);
        }
    }
}

/// All of them are timed.
fn assert_waits(events: &Events) {
    let untimed = events.of("accept").filter(|event| event.wait_ns.is_none());
    assert_eq!(untimed.count(), 0);
}
