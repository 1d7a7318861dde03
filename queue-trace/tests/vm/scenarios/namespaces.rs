//! Network namespaces that appear and vanish while queue-trace looks: the books of one that came
//! later balance from its beginning, those of one that is gone cannot be compared.
//!
//! The kernel gives the number of a namespace that is gone to the next one.

use std::fs::File;
use std::time::Duration;

use queue_trace::procfs::own_cookie;

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::summary::Summary;
use crate::harness::tracer::{Place, Tracer};
use crate::harness::wait;

const SHORT_LIVED: usize = 2;
const BACKLOG: u32 = 1;
/// Clients that are refused beside those that fill the queue.
const REFUSED: usize = 2;

pub(super) fn run() {
    let tracer = Tracer::start(Place::Outside, namespace::inode(), &[]);
    let (mut gone, mut held) = (Vec::new(), Vec::new());
    for round in 0..SHORT_LIVED {
        let name = format!("short-{round}");
        let (netns, file) = namespace::within_fresh(&name, || {
            overflow();
            (namespace::inode(), File::open("/proc/thread-self/ns/net").unwrap())
        });
        gone.push(netns);
        // From 5.14 on the kernel tells namespaces apart for good.
        if own_cookie().is_some() {
            drop(file);
            // The kernel takes it apart a little later, and then its number is free.
            std::thread::sleep(Duration::from_millis(500));
        } else {
            // Such a kernel cannot tell it from the next one of that number.
            held.push(file);
        }
    }
    let (trace, born, kernel) = namespace::within_fresh("long-lived", || {
        let refused = overflow();
        (tracer.stop(), namespace::inode(), refused)
    });
    drop(held);
    let text = &trace.summary.text;
    assert!(text.contains(&format!("namespace {born}: the books balance")), "\n{text}");
    for counter in ["ListenOverflows", "ListenDrops"] {
        let line = book(&trace.summary, born, counter);
        assert_eq!(line, [kernel, kernel, 0], "{counter}:\n{text}");
    }
    let told = |netns: &u64| {
        let line = format!("namespace {netns}: gone, and its counters with it");
        (text.matches(&line).count(), gone.iter().filter(|number| *number == netns).count())
    };
    for (told, gone) in gone.iter().map(told) {
        assert_eq!(told, gone, "\n{text}");
    }
    assert!(!text.contains("DO NOT BALANCE"), "\n{text}");
    // The counts of all of them are there.
    let address = Family::V4.loopback(8080);
    assert_eq!(trace.summary.at(address).len(), SHORT_LIVED + 1, "\n{text}");
}

/// Has clients refused, and gives how many SYNs were.
fn overflow() -> u64 {
    let server = Server::listen(Family::V4.loopback(8080), BACKLOG as i32);
    let _waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, REFUSED);
    let refusals = || Counters::read().get("ListenOverflows");
    wait::until("refusals", || refusals() >= REFUSED as u64);
    // Before they try again.
    crate::harness::client::reset_all(refused);
    refusals()
}

/// The kernel's count, ours and the difference in a line of the books of a namespace.
fn book(summary: &Summary, netns: u64, counter: &str) -> [u64; 3] {
    let mut lines =
        summary.text.lines().skip_while(|line| !line.starts_with(&format!("namespace {netns}:")));
    let line = lines.find(|line| line.trim_start().starts_with(counter)).unwrap();
    let numbers: Vec<_> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap()
}
