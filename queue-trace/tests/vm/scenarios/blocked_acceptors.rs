//! A thousand threads that were blocked in `accept()` when queue-trace attached, as of a server with a thread for
//! each connection: whatever each of them takes is counted and timed.
//!
//! The kernel prepares only as many returns of a probed function as it has processors, so a probe at the return
//! of `accept()` would miss nearly all.

use std::collections::BTreeSet;
use std::thread;

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::wait;

use super::accept_wait::is_accepting;

const THREADS: usize = 1000;
const STACK: usize = 64 << 10;
/// Clients that connect before the next ones do, fewer than the queues hold.
const AT_ONCE: usize = 50;

pub(super) fn run(family: Family) {
    let server = Server::listen(family.loopback(8080), 2 * AT_ONCE as i32);
    thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let server = &server;
        let acceptor = || {
            let tell = tell.clone();
            let accept = move || {
                tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
                server.accept().client
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, accept).unwrap()
        };
        let acceptors: Vec<_> = (0..THREADS).map(|_| acceptor()).collect();
        for thread in told.iter().take(THREADS) {
            wait::until("a thread to block in accept()", || is_accepting(thread));
        }

        let scene = Scene::begin_with(Place::Outside, &[server]);
        let mut clients = Vec::new();
        for count in (AT_ONCE..=THREADS).step_by(AT_ONCE) {
            clients.extend(Client::connect_many(server.address, AT_ONCE));
            scene.wait_for("accepts", |events| events.count("accept") == count as u64);
        }
        let accepted: BTreeSet<_> =
            acceptors.into_iter().map(|thread| thread.join().unwrap()).collect();
        let trace = scene.end(&[server]);
        let events = &trace.events;
        let told: BTreeSet<_> = events.of("accept").map(|event| event.client().unwrap()).collect();
        assert_eq!((told.len(), &told), (THREADS, &accepted));
        assert!(events.of("accept").all(|event| event.wait_ns.is_some() && event.reason.is_none()));
        reset_all(clients);
    });
}
