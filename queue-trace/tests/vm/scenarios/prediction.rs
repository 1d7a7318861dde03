//! What `queue-trace what-if` says of other backlogs, from a recording, held against the same arrivals at
//! listeners with these backlogs: refused clients, and the waits of the others.
//!
//! A client that is refused comes again after a second, when all have come: the others wait no longer for it.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::recorded::{Folder, Recorder, events_of, replay};
use crate::harness::client::{Client, reset_all};
use crate::harness::events::{Event, Events};
use crate::harness::family::Family;
use crate::harness::server::Server;
use crate::harness::told::duration;
use crate::harness::{namespace, program, wait};

const CLIENTS: u32 = 30;
/// They come so far apart, and are accepted so far apart.
const ARRIVE: Duration = Duration::from_millis(20);
const ACCEPT: Duration = Duration::from_millis(60);
/// The backlog in the recording.
const BACKLOG: u32 = 3;
/// Then all have been accepted who came in at first: with room for all, the last one after 30 accepts.
const END: Duration = Duration::from_millis(2500);

/// What became of those who came.
#[derive(Debug, Clone)]
struct Outcome {
    refused: u64,
    median: Duration,
    longest: Duration,
}

/// Tries, as long as the guest is held up meanwhile: then neither the recording nor what it is held against is what was meant.
const TRIES: usize = 3;
/// An emulated guest is held up for so long while nothing else goes on.
const ORDINARY: Duration = Duration::from_millis(10);

pub(super) fn run() {
    for last in (1..=TRIES).map(|number| number == TRIES) {
        match compare() {
            Ok(()) => return,
            Err(miss) if last || miss.held_up <= ORDINARY => panic!("{}", miss.text),
            Err(_) => {}
        }
    }
}

/// What was predicted is not what was measured.
struct Miss {
    held_up: Duration,
    text: String,
}

fn compare() -> Result<(), Miss> {
    let place = Folder::make("prediction");
    let file = place.file("arrivals.qtrace");
    let recorder = Recorder::start(&file);
    let before = arrivals(8080, BACKLOG);
    let text = what_if(&file);
    let predicted = predictions(&text);
    // The present backlog, and the last three.
    let first = predicted.len().saturating_sub(3);
    let tried = [&predicted[..1], &predicted[first.max(1)..]].concat();
    assert_eq!(tried.len(), 4, "{text}");
    let port = |backlog: u32| 9000 + backlog as u16;
    let after = thread::scope(|scope| {
        let again = |backlog: u32| scope.spawn(move || arrivals(port(backlog), backlog));
        let runs: Vec<_> = tried.iter().map(|(backlog, _)| again(*backlog)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).max().unwrap()
    });
    let held_up = before + after;
    let (status, told) = recorder.stop(Signal::INT);
    assert!(status.success(), "{told}");

    let events = events_of(&replay(&file), namespace::inode());
    let mut table = String::new();
    let mut agreed = true;
    for (backlog, predicted) in &tried {
        let measured = measured(&events.at_port(port(*backlog)));
        agreed &= agree(predicted, &measured, held_up);
        table += &format!("backlog {backlog}: predicted {predicted:?}, measured {measured:?}\n");
    }
    table += &format!("held up for {held_up:?}\n");
    // Into the log: what the documentation shows.
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    if agreed { Ok(()) } else { Err(Miss { held_up, text: format!("{table}\n{text}") }) }
}

/// Within a tenth of the clients, and within two accepts; and what an emulated guest that was held up for so long
/// explains: who comes then comes at once, and is accepted later.
fn agree(predicted: &Outcome, measured: &Outcome, held_up: Duration) -> bool {
    let near = |a: Duration, b: Duration| a.abs_diff(b) <= 2 * ACCEPT + held_up;
    let late = (held_up.as_millis() / ARRIVE.as_millis()) as u64;
    predicted.refused.abs_diff(measured.refused) <= u64::from(CLIENTS / 10) + late
        && near(predicted.median, measured.median)
        && near(predicted.longest, measured.longest)
}

/// What the recording says, while it goes on: once a mark is in it that is set now, so is all that was before.
fn what_if(file: &Path) -> String {
    let mark = Server::listen(Family::V4.loopback(8079), 1);
    reset_all(mark.fill(1));
    let mut text = String::new();
    wait::until("the recording to have it all", || {
        let ports = ["--port", "8079", "--port", "8080"];
        let output =
            program::run(&[&["what-if", "--input", file.to_str().unwrap()], &ports[..]].concat());
        text = String::from_utf8(output.stdout).unwrap();
        text.contains(":8079 ")
    });
    let (_, text) = text.split_once(":8080 ").unwrap_or_else(|| panic!("{text}"));
    text.split("\n\n").next().unwrap().to_owned()
}

/// Clients come one after the other, and are accepted one after the other, each at its time. By how much the guest
/// missed one of these times.
fn arrivals(port: u16, backlog: u32) -> Duration {
    let server = Server::listen(Family::V4.loopback(port), backlog as i32);
    let begin = Instant::now();
    // Waits for a time; how late it is then.
    let wait = move |time: Duration| {
        sleep((begin + time).saturating_duration_since(Instant::now()));
        begin.elapsed() - time
    };
    let acceptor = server.waiter();
    let accepting = thread::spawn(move || {
        let times = (1..).map(|number| number * ACCEPT).take_while(|time| *time < END);
        let one = |time| {
            let late = wait(time);
            (late, (acceptor.depth() > 0).then(|| acceptor.accept()))
        };
        times.map(one).collect::<Vec<_>>()
    });
    let come = |number: u32| (wait(number * ARRIVE), Client::connect(server.address));
    let (late, clients): (Vec<_>, Vec<_>) = (0..CLIENTS).map(come).unzip();
    let accepts = accepting.join().unwrap();
    reset_all(clients);
    late.into_iter().chain(accepts.into_iter().map(|(late, _)| late)).max().unwrap()
}

/// `backlog 4  refused 32; waits p50 37.0 ms, p99 50.0 ms, max 50.0 ms`, one for each backlog.
fn predictions(text: &str) -> Vec<(u32, Outcome)> {
    let read = |line: &str| {
        let (backlog, rest) = line.trim().strip_prefix("backlog ")?.split_once(' ')?;
        let (refused, waits) = rest.trim().strip_prefix("refused ")?.split_once("; waits p50 ")?;
        let (median, _) = waits.split_once(", ")?;
        let (_, longest) = waits.split_once("max ")?;
        let outcome = Outcome {
            refused: refused.parse().ok()?,
            median: duration(median),
            longest: duration(longest),
        };
        Some((backlog.parse().ok()?, outcome))
    };
    text.lines().filter_map(read).collect()
}

/// What the records of a listener tell of clients at their first try.
fn measured(events: &Events) -> Outcome {
    let refusals = ["syn_refused", "ack_refused"].into_iter().flat_map(|kind| events.of(kind));
    let refused: BTreeSet<SocketAddr> = refusals.filter_map(Event::client).collect();
    let first =
        |client: Option<SocketAddr>| client.is_some_and(|client| !refused.contains(&client));
    let accepts = events.of("accept").filter(|event| first(event.client()));
    let mut waits: Vec<_> = accepts.map(|event| event.wait_ns.unwrap()).collect();
    waits.sort_unstable();
    let wait = |at: usize| Duration::from_nanos(waits[at]);
    Outcome {
        refused: refused.len() as u64,
        median: wait((waits.len() - 1) / 2),
        longest: wait(waits.len() - 1),
    }
}
