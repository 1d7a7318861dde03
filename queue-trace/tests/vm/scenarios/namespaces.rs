//! Network namespaces that appear and vanish while queue-trace looks: the books of one that came
//! later balance from its beginning, those of one that is gone cannot be compared.
//!
//! The kernel gives the number of a namespace that is gone to the next one.

use std::fs::File;

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
    look(true);
}

/// The numbers of the short-lived namespaces are given to later ones.
pub(super) fn same_number() {
    look(false);
}

fn look(hold_numbers: bool) {
    let tracer = Tracer::start(Place::Outside, namespace::inode(), &[]);
    let (mut gone, mut held) = (Vec::new(), Vec::new());
    for round in 0..SHORT_LIVED {
        let name = format!("short-{round}");
        let netns = namespace::within_fresh(&name, || {
            overflow();
            namespace::inode()
        });
        gone.push(netns);
        // The kernel takes it apart a little later, and then its number is free.
        if hold_numbers {
            wait::until("the number of a namespace", || {
                held.push(hidden());
                held.last().is_some_and(|(_, number)| *number == netns)
            });
        } else {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
    }
    let (trace, born, kernel) = namespace::within_fresh("long-lived", || {
        let refused = overflow();
        (tracer.stop(), namespace::inode(), refused)
    });
    let text = &trace.summary.text;
    assert!(text.contains(&format!("namespace {born}: the books balance")), "\n{text}");
    for counter in ["ListenOverflows", "ListenDrops"] {
        let line = book(&trace.summary, born, counter);
        assert_eq!(line, [kernel, kernel, 0], "{counter}:\n{text}");
    }
    for netns in gone.iter().filter(|netns| **netns != born) {
        let told = format!("namespace {netns}: gone, and its counters with it");
        assert!(text.contains(&told), "\n{text}");
    }
    assert!(!text.contains("DO NOT BALANCE"), "\n{text}");
    drop(held);
    // The counts of all of them are there.
    let address = Family::V4.loopback(8080);
    assert_eq!(trace.summary.at(address).len(), SHORT_LIVED + 1, "\n{text}");
}

/// A namespace that nobody can find, and its number.
fn hidden() -> (File, u64) {
    let make = || {
        // SAFETY: descriptors stay shared; only the network namespace is left.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        (File::open("/proc/thread-self/ns/net").unwrap(), namespace::inode())
    };
    std::thread::spawn(make).join().unwrap()
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
