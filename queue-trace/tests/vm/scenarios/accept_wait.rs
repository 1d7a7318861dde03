//! How long a connection waits for `accept()`.
//!
//! Fact 4 of kernel.md: the return of `inet_csk_accept` is not seen in a thread that was blocked in
//! it when queue-trace attached, so that what it accepts has to be seen elsewhere.

use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;
use crate::harness::wait;

/// How long the server leaves a connection waiting.
const PAUSE: Duration = Duration::from_millis(700);

pub(super) fn run(family: Family) {
    let server = Server::listen(family.loopback(8080), 5);
    thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let server = &server;
        let blocked = scope.spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            server.accept()
        });
        let thread = told.recv().unwrap().as_raw_nonzero();
        wait::until("a thread to block in accept()", || is_accepting(thread.get()));

        let scene = Scene::begin_with(Place::Outside, &[server]);
        let first = Client::connect(server.address);
        let first_accepted = blocked.join().unwrap();
        let second = Client::connect(server.address);
        wait::until("a connection to be queued", || server.depth() == 1);
        let entered = Instant::now();
        // The wait that is measured.
        thread::sleep(PAUSE);
        let second_accepted = server.accept();
        let trace = scene.end(&[server]);

        assert_eq!(first_accepted.client, first.address);
        let most = first_accepted.returned - first.called;
        assert_wait(&trace.events, &first, Duration::ZERO, most);
        let (least, most) = second_accepted.wait_bounds(second.called, entered);
        assert!(least >= PAUSE, "{least:?}");
        assert_wait(&trace.events, &second, least, most);
    });
}

fn assert_wait(events: &Events, client: &Client, least: Duration, most: Duration) {
    let events = events.of_client(client.address);
    let event = events.only("accept");
    let wait = Duration::from_nanos(event.wait_ns.expect("the wait is timed"));
    assert!(least <= wait && wait <= most, "{least:?} <= {wait:?} <= {most:?}");
    assert_eq!(event.reason, None);
    assert_eq!(event.pid, Some(std::process::id()));
}

/// Whether a thread is in `accept4()` and sleeps there.
pub(super) fn is_accepting(thread: i32) -> bool {
    let path = format!("/proc/self/task/{thread}");
    let call = fs::read_to_string(format!("{path}/syscall")).unwrap();
    let in_accept = call.split(' ').next() == Some(&libc::SYS_accept4.to_string());
    let state = fs::read_to_string(format!("{path}/stat")).unwrap();
    // The state follows the name, which is in brackets.
    in_accept && state.rsplit(") ").next().unwrap().starts_with('S')
}
