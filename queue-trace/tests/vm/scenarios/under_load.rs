//! A listener whose queue stays full under load: as fast as it accepts, others get in.
//!
//! Fact 6 of kernel.md: the depth moves between a test at the entry of a function and the kernel's
//! own, so outcomes cannot be predicted; with clients on two processors that would show here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::wait;

const BACKLOG: u32 = 128;
const FULL: u32 = BACKLOG + 1;
/// Threads of clients; each lets so many try at a time.
const THREADS: usize = 2;
const CLIENTS: usize = 100;
/// Connections that the server accepts, one by one.
const ACCEPTS: usize = 60;

pub(super) fn run(family: Family) {
    let processors = thread::available_parallelism().unwrap().get() as u32;
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), BACKLOG as i32);
    let enough = AtomicBool::new(false);
    let clients: Vec<_> = thread::scope(|scope| {
        let work = || clients(&server, &enough);
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        wait::until("a full queue", || server.depth() >= FULL);
        for _ in 0..ACCEPTS {
            server.accept();
            wait::until("the queue to be full again", || server.depth() >= FULL);
        }
        enough.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let depth = server.depth();
    reset_all(clients);
    wait::until("the resets to end what is half-open", || server.half_open() == 0);

    let trace = scene.end(&[&server]);
    let events = &trace.events;
    // Neither test for room reserves it: each processor but one may let one more in.
    let most = FULL + processors - 1;
    assert!((FULL..=most).contains(&depth), "{depth} waiting at the end");
    let peak = events.0.iter().map(|event| event.accept_depth).max().unwrap();
    assert!((FULL..=most).contains(&peak), "{peak} waiting at the most");
    assert_eq!(trace.summary.only(server.address).accept_peak, peak);
    assert_eq!(events.count("accept"), ACCEPTS as u64);
    assert_eq!(events.count("established"), ACCEPTS as u64 + u64::from(depth));
    let refused = events.count("syn_refused");
    // On one processor the server may have accepted before all clients had tried for the first time.
    let inside = ACCEPTS as u64 + u64::from(most);
    assert!(refused >= (THREADS * CLIENTS) as u64 - inside, "{refused} SYNs refused");
    for event in events.of("syn_refused") {
        assert_eq!(event.reason.as_deref(), Some("accept_queue_full"), "{event:?}");
    }
}

/// Keeps clients trying until it is enough: whoever does not get in at once gives up, and another
/// comes in its place. Gives those that are in.
fn clients(server: &Server, enough: &AtomicBool) -> Vec<Client> {
    let mut inside = Vec::new();
    let mut trying = Client::connect_many(server.address, CLIENTS);
    while !enough.load(Ordering::Relaxed) {
        let (connected, refused): (Vec<_>, Vec<_>) =
            trying.into_iter().partition(Client::is_connected);
        inside.extend(connected);
        // Full speed would be a race of one emulated processor against the other, not a load.
        thread::sleep(std::time::Duration::from_millis(2));
        trying = refused;
        trying.drain(..trying.len().min(1)).for_each(Client::reset);
        trying.push(Client::connect(server.address));
    }
    inside.extend(trying);
    inside
}
