//! How long a connection waits for `accept()`.
//!
//! Fact 4 of kernel.md: the return of `inet_csk_accept` is not seen in a thread that was blocked in
//! it when queue-trace attached, so that what it accepts has to be seen elsewhere.

use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::harness::client::Client;
use crate::harness::events::Events;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::told::duration;
use crate::harness::tracer::{Place, Tracer};
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
        assert!(least >= PAUSE.mul_f64(0.9), "{least:?}");
        assert_wait(&trace.events, &second, least, most);
    });
}

/// Waits are counted in the kernel by powers of two, also where no accept is streamed: nine short ones and a
/// long one.
pub(super) fn counted(family: Family) {
    let tracer = Tracer::start(Place::Outside, namespace::inode(), &["--event", "syn_refused"]);
    let server = Server::listen(family.loopback(8080), 5);
    let waits: Vec<_> = (0..10)
        .map(|round| {
            let client = server.fill(1).remove(0);
            let entered = Instant::now();
            thread::sleep(if round == 0 { PAUSE } else { Duration::ZERO });
            server.accept().wait_bounds(client.called, entered)
        })
        .collect();
    let trace = tracer.stop();

    assert_eq!(trace.events.count("accept"), 0);
    let row = trace.summary.only(server.address).row("wait").expect("waits are told").to_owned();
    let told = |name: &str| {
        let value = row.split(", ").find_map(|part| part.strip_prefix(name)).unwrap();
        duration(value.strip_prefix(" <").unwrap())
    };
    // The end of a bucket, of which three digits are shown; the bucket begins at half of it.
    let holds = |end: Duration, (least, most): (Duration, Duration)| {
        least <= end.mul_f64(1.01) && end.mul_f64(0.49) <= most
    };
    assert!(holds(told("p99"), waits[0]), "{row}, and the longest was {:?}", waits[0]);
    let mut short = waits[1..].to_vec();
    short.sort_unstable();
    let (least, most) = (short[0].0, short.iter().map(|(_, most)| *most).max().unwrap());
    assert!(holds(told("p50"), (least, most)), "{row}, and the short ones were {short:?}");
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
