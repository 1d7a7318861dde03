//! Each view of a recording says what the same view said that looked on while it was made.
//!
//! Each has its own hooks and its own clock: what lies between two times is not compared, everything else is.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;

use super::recorded::{Folder, Recorder};
use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::watching::Watching;
use crate::harness::{namespace, program, wait};

const BACKLOG: u32 = 3;
const REFUSED: usize = 2;

pub(super) fn run() {
    let place = Folder::make("views");
    let file = place.file("load.qtrace");
    // All count before anything happens.
    let (recorder, [doctor, what_if, report]) = std::thread::scope(|scope| {
        let live = [&DOCTOR[..], &WHAT_IF, &REPORT]
            .map(|arguments| scope.spawn(move || Watching::start(arguments)));
        (Recorder::start(&file), live.map(|view| view.join().unwrap()))
    });
    let (drained, full) = (serve(8080), serve(8081));
    drained.server.accept_all(drained.clients.len());
    // Nothing happens any more, whichever ends first.
    let listeners = program::run(&LISTENERS);
    let ended = |view: Watching| {
        let (status, text) = view.end();
        assert!(status.success(), "{text}");
        text
    };
    let (report, what_if, doctor) = (ended(report), ended(what_if), ended(doctor));
    let (status, told) = recorder.stop(Signal::INT);
    assert!(status.success(), "{told}");
    reset_all(drained.clients);
    reset_all(full.clients);

    let recorded = |arguments: &[&str]| {
        let output = program::run(&[arguments, &["--input", file.to_str().unwrap()]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let (again, live) = (examined(&recorded(&DOCTOR)), examined(&doctor));
    assert!(live["listeners"].as_array().is_some_and(|all| all.len() == 2), "{doctor}");
    assert_eq!(again, live);
    let (again, live) = (counts(&recorded(&WHAT_IF)), counts(&what_if));
    assert!(live.iter().any(|line| line.contains("refused 2")), "{what_if}");
    assert_eq!(again, live);
    let (again, live) = (table(&recorded(&LISTENERS)), table(&text(&listeners.stdout)));
    assert_eq!(live.len(), 2, "{listeners:?}");
    assert_eq!(again, live);
    let (again, live) = (cells(&recorded(&REPORT)), cells(&report));
    assert!(live.iter().any(|cell| cell == "accept queue full"), "{live:?}");
    assert_eq!(again, live);
}

const DOCTOR: [&str; 3] = ["doctor", "--format", "json"];
const WHAT_IF: [&str; 5] = ["what-if", "--port", "8080", "--port", "8081"];
const REPORT: [&str; 7] = ["report", "--port", "8080", "--port", "8081", "--output", "-"];
const LISTENERS: [&str; 3] = ["listeners", "--format", "json"];

/// A listener whose queue is full, after clients that were refused and gave up.
struct Served {
    server: Server,
    clients: Vec<Client>,
}

fn serve(port: u16) -> Served {
    let overflows = || Counters::read().get("ListenOverflows");
    let server = Server::listen(Family::V4.loopback(port), BACKLOG as i32);
    let clients = server.fill(BACKLOG + 1);
    let before = overflows();
    let refused = Client::connect_many(server.address, REFUSED);
    wait::until("refusals", || overflows() >= before + REFUSED as u64);
    reset_all(refused);
    Served { server, clients }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `doctor` found, without times and other namespaces.
fn examined(text: &str) -> Value {
    let mut found: Value = serde_json::from_str(text).unwrap();
    let netns = namespace::inode();
    for list in ["listeners", "books"] {
        let list = found[list].as_array_mut().unwrap();
        list.retain(|one| one["netns"] == netns);
        // Those that are as bad as each other stand in the order in which each program met them.
        list.sort_by_key(|one| one["port"].as_u64());
    }
    // Only a doctor that is there asks it.
    assert!(found.as_object_mut().unwrap().remove("scheduler").is_some(), "{found:#}");
    forget_times(&mut found);
    found
}

/// What a look at the acceptor, which is this program, saw at that moment: it runs now and then, and so do its
/// threads; what keeps it from accepting, and what to do about that, is concluded from it.
const MOMENTARY: [&str; 9] = [
    "cause",
    "file_limit",
    "involuntary_switches",
    "open_files",
    "pid",
    "state",
    "threads",
    "threads_awaiting",
    "voluntary_switches",
];

/// Takes out times, the sentences that have them, and what was so for a moment.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let timed = |name: &String| {
                ["_ns", "_share", "_per_second"].iter().any(|end| name.ends_with(end))
            };
            members.retain(|name, _| {
                !timed(name) && name != "story" && !MOMENTARY.contains(&name.as_str())
            });
            if members.get("rule").is_some_and(|rule| rule == "stopped_acceptor") {
                members.remove("change");
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// What `what-if` computed, without waits and rates, and without a faster server: whether its accept would have come
/// before an arrival is a matter of microseconds.
fn counts(text: &str) -> Vec<String> {
    let timed = |part: &&str| !part.contains("waits ");
    let line = |line: &str| {
        let words: Vec<_> = line.split(' ').filter(|word| !word.contains("/s)")).collect();
        words.join(" ").split("; ").filter(timed).collect::<Vec<_>>().join("; ")
    };
    let faster = |line: &&str| line.contains("accepts ×") || line.contains(" workers ");
    text.lines().filter(|line| !faster(line)).map(line).collect()
}

/// The listeners of this namespace, by port.
fn table(text: &str) -> BTreeMap<u64, Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = lines.filter(|line| line["netns"] == namespace::inode());
    own.map(|line| (line["port"].as_u64().unwrap(), line)).collect()
}

/// What is said of clients that may come again, and later of the same ones.
const GIVEN_UP: [&str; 2] = ["may still be trying", "did not come back"];

/// What a page has in its tables about listeners: names and numbers, no times and no charts.
fn cells(page: &str) -> Vec<String> {
    let counted = |cell: &str| {
        let name = !cell.contains(char::is_numeric) && !GIVEN_UP.contains(&cell);
        name || cell.parse::<u64>().is_ok()
    };
    let mut sections: Vec<_> = page.split("<h2>127.0.0.1:").skip(1).collect();
    // They begin with the port.
    sections.sort_unstable();
    let tables =
        sections.into_iter().map(|section| section.split("The figures behind").next().unwrap());
    // Neither here: see `counts`.
    let slower = tables.map(|section| section.split(">accepting 2 times").next().unwrap());
    let is_cell = |tag: &&str| ["td", "th>", "th "].iter().any(|name| tag.starts_with(name));
    let cells = slower.flat_map(|section| section.split('<').filter(is_cell)).filter_map(|cell| {
        let (_, text) = cell.split_once('>')?;
        Some(text.trim().to_owned())
    });
    cells.filter(|cell| counted(cell)).collect()
}
