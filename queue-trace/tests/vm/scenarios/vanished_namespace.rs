//! A namespace that goes away while queue-trace looks, and a trace that ends by itself.

use std::time::{Duration, Instant};

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Tracer};
use crate::harness::wait;

const DURATION: Duration = Duration::from_secs(4);

pub(super) fn run() {
    let (sender, ready) = std::sync::mpsc::channel();
    let (finish, told) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let gone = scope.spawn(move || {
            namespace::within_fresh("short-lived", move || {
                sender.send(namespace::inode()).unwrap();
                told.recv().unwrap();
                let server = Server::listen(Family::V4.loopback(8080), 5);
                let _client = Client::connect(server.address);
                server.accept();
            });
        });
        let netns = ready.recv().unwrap();
        let tracer = Tracer::start(Place::Outside, netns, &["--duration", "4s"]);
        let start = Instant::now();
        finish.send(()).unwrap();
        gone.join().unwrap();
        // The kernel takes a namespace apart after the last that held it.
        wait::until("the namespace to be gone", || !namespace::is_named("short-lived"));
        let trace = tracer.finish();
        assert!(start.elapsed() >= DURATION - Duration::from_millis(500), "{:?}", start.elapsed());
        for kind in ["listen", "syn_queued", "established", "accept", "close"] {
            assert_eq!(trace.events.count(kind), 1, "{kind}:\n{}", trace.events);
        }
        let section = trace.summary.only(Family::V4.loopback(8080));
        assert_eq!((section.netns, section.closed), (netns, true));
        let gone = format!("namespace {netns}: gone");
        assert!(trace.summary.text.contains(&gone), "{}", trace.summary.text);
    });
}
