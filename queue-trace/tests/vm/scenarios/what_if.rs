//! `queue-trace what-if`, held against what then happens: with the backlog that it names nobody is refused by
//! the same arrivals, with one less somebody is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::wait;
use crate::harness::watching::Watching;

const CLIENTS: u32 = 12;
const BACKLOG: u32 = 3;
/// By then a client has tried four times.
const LATEST: Duration = Duration::from_secs(16);

pub(super) fn run() {
    let what_if = Watching::start(&["what-if", "--port", "8080"]);
    let refused = arrivals(8080, BACKLOG);
    assert!(refused >= u64::from(CLIENTS - BACKLOG - 1), "{refused}");
    let (status, text) = what_if.end();
    assert!(status.success(), "{text}");
    assert!(text.contains(&format!("{CLIENTS} clients came ")), "{text}");
    let words: Vec<_> = text.split_whitespace().collect();
    let name = ["would", "have", "lost", "nothing."];
    let end = words.windows(4).position(|window| window == name);
    let enough: u32 = words[end.unwrap_or_else(|| panic!("{text}")) - 1].parse().unwrap();

    assert_eq!(arrivals(8081, enough), 0, "{text}");
    assert_eq!(arrivals(8082, enough - 1), 1, "{text}");
}

/// All clients come before anything is accepted, then everything is, as they come again. How many attempts were
/// refused before the first accept.
fn arrivals(port: u16, backlog: u32) -> u64 {
    let overflows = || Counters::read().get("ListenOverflows");
    let before = overflows();
    let server = Server::listen(Family::V4.loopback(port), backlog as i32);
    let inside = server.fill(CLIENTS.min(backlog + 1));
    let late = CLIENTS as usize - inside.len();
    let refused = Client::connect_many(server.address, late);
    wait::until("all to have come", || overflows() >= before + late as u64);
    let moved = overflows() - before;
    accept_who_comes(&server);
    reset_all(inside);
    reset_all(refused);
    moved
}

/// Accepts everybody who gets in. That need not be all: a client whose final ACK is refused believes to be connected,
/// and is lost if its request ends before the queue has room.
fn accept_who_comes(server: &Server) {
    let begin = Instant::now();
    let mut accepted = Vec::new();
    while accepted.len() < CLIENTS as usize && begin.elapsed() < LATEST {
        if server.depth() > 0 {
            accepted.push(server.accept());
        } else {
            sleep(Duration::from_millis(5));
        }
    }
}
