//! What `queue-trace record` wrote, replayed, is what a `queue-trace trace` that ran beside it told; and a
//! recording that ends as it should not can be read.
//!
//! The two programs have their own hooks and their own clocks, one after the other: times differ by what
//! lies between, and are not compared.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::client::{Client, reset_all};
use crate::harness::events::{Event, Events};
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::processor;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::summary::Summary;
use crate::harness::tracer::{Place, exit};
use crate::harness::wait;

const BACKLOG: u32 = 3;

pub(super) fn run(family: Family) {
    let place = Folder::make("recorded");
    let recorder = Recorder::start(&place.file("load.qtrace"));
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), BACKLOG as i32);
    load(&server);
    let trace = scene.end(&[&server]);
    let (status, told) = recorder.stop(Signal::INT);
    assert!(status.success(), "{told}");

    let netns = namespace::inode();
    let replay = replay(&place.file("load.qtrace"));
    assert!(replay.status.success(), "{replay:?}");
    let (events, summary) = (events_of(&replay, netns), summary_of(&replay).of(netns));
    assert!(events.count("syn_refused") > 0 && events.count("accept") > 0, "{events}");
    assert_eq!(by_client(&events), by_client(&trace.events), "recorded\n{events}");
    let (replayed, live) = (summary.only(server.address), trace.summary.only(server.address));
    let told = |section: &crate::harness::summary::Section| {
        let peaks = (section.accept_peak, section.syn_peak);
        (section.counts.clone(), section.owners.clone(), section.limit, section.closed, peaks)
    };
    assert_eq!(told(replayed), told(live));
    let books = |text: &str| {
        let start = text.find(&format!("namespace {netns}: the books")).expect("no books");
        text[start..].lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(books(&summary.text), books(&trace.summary.text));
}

pub(super) fn killed() {
    let place = Folder::make("killed");
    let file = place.file("load.qtrace");
    let recorder = Recorder::start(&file);
    let server = Server::listen(Family::V4.loopback(8080), BACKLOG as i32);
    load(&server);
    let netns = namespace::inode();
    let accepted = || events_of(&replay(&file), netns).count("accept") == u64::from(BACKLOG) + 1;
    wait::until("the accepts to be in the file", accepted);
    let (status, _) = recorder.stop(Signal::KILL);
    assert!(!status.success());
    let replay = replay(&file);
    assert!(replay.status.success(), "{replay:?}");
    let error = String::from_utf8_lossy(&replay.stderr);
    assert!(error.contains("has no end") || error.contains("was cut short"), "{error}");
    assert_eq!(events_of(&replay, netns).count("accept"), u64::from(BACKLOG) + 1);
    assert!(!summary_of(&replay).of(netns).at(server.address).is_empty(), "{error}");
}

/// A disk of a few pages: 64 KiB.
pub(super) fn full_disk() {
    // It detaches while clients come: QEMU before 8.1 may have another processor execute for ever what has just been
    // patched (see `xtask/src/test/guests.rs`).
    processor::keep_on(0, None);
    let place = Folder::make("full-disk");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&place.0)
        .status();
    assert!(mounted.unwrap().success());
    let file = place.file("load.qtrace");
    let mut recorder = Recorder::start(&file);
    let server = Server::listen(Family::V4.loopback(8080), 128);
    // Each connection has three events, which take some ten bytes each.
    for _ in 0..400 {
        if recorder.child.try_wait().unwrap().is_some() {
            break;
        }
        let clients = Client::connect_many(server.address, 20);
        server.accept_all(clients.len());
    }
    // It takes its hooks away before it ends.
    wait::until("64 KiB to be too little", || recorder.child.try_wait().unwrap().is_some());
    let (status, told) = recorder.stop(Signal::INT);
    assert_eq!(status.code(), Some(1), "{told}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.contains("recording stopped with ") && last.contains("No space left"), "{told}");
    let in_file: u64 = last.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(in_file > 100, "{told}");
    // Nothing has to be left out: what was not whole was taken off.
    let replay = replay(&file);
    let error = String::from_utf8_lossy(&replay.stderr);
    assert!(replay.status.success() && error.contains("has no end"), "{error}");
    assert_eq!(replay.stdout.split(|byte| *byte == b'\n').count() as u64 - 1, in_file, "{error}");
    let unmounted = std::process::Command::new("umount").arg(&place.0).status();
    assert!(unmounted.unwrap().success());
}

/// A full queue, refusals, accepts and resets, one after the other.
fn load(server: &Server) {
    let waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, 2);
    wait::until("the SYNs to be sent", || refused.iter().all(|client| !client.is_connected()));
    reset_all(refused);
    server.accept_all(waiting.len());
    reset_all(waiting);
}

/// The events of each client in their order, without times and what is made of them. While clients come and go on another
/// CPU the two programs see other depths, too; when somebody is refused, the queue is full and nobody moves.
fn by_client(events: &Events) -> BTreeMap<Option<SocketAddr>, Vec<String>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in &events.0 {
        let calm = event.event == "syn_refused";
        let still = |depth| if calm { depth } else { 0 };
        let untimed = Event {
            accept_depth: still(event.accept_depth),
            syn_depth: still(event.syn_depth),
            time: String::new(),
            wait_ns: event.wait_ns.map(|_| 0),
            handshake_ns: event.handshake_ns.map(|_| 0),
            age_ns: event.age_ns.map(|_| 0),
            ..event.clone()
        };
        all.entry(event.client()).or_default().push(format!("{untimed:?}"));
    }
    all
}

pub(super) fn replay(file: &Path) -> Output {
    program::run(&["replay", file.to_str().unwrap(), "--format", "json"])
}

pub(super) fn events_of(replay: &Output, netns: u64) -> Events {
    let text = String::from_utf8_lossy(&replay.stdout);
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    Events(events.filter(|event| event.netns == netns).collect())
}

fn summary_of(replay: &Output) -> Summary {
    Summary::parse(String::from_utf8_lossy(&replay.stderr).into_owned())
}

/// A running `queue-trace record`.
pub(super) struct Recorder {
    child: Child,
    said: PathBuf,
}

impl Recorder {
    /// Starts it, and waits until it counts.
    pub(super) fn start(file: &Path) -> Self {
        let said = std::env::temp_dir().join(format!("record-{}.said", namespace::inode()));
        let errors = fs::File::create(&said).unwrap();
        let mut command = program::queue_trace();
        command.arg("record").arg("-o").arg(file).args(program::attach_arguments());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = namespace::outside(|| command.spawn().unwrap());
        let recorder = Self { child, said };
        wait::until("queue-trace to record", || recorder.said().contains(": recording "));
        recorder
    }

    fn said(&self) -> String {
        let mut text = String::new();
        fs::File::open(&self.said).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Ends it, and gives how it ended and what it said.
    pub(super) fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), signal);
        (exit(&mut self.child), self.said())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // After a failure: what is left must not disturb the next scenario.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.said);
    }
}

/// A folder that goes away with the scenario.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make(name: &str) -> Self {
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
