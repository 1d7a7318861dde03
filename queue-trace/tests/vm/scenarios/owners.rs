//! Whose a listener is: workers that share one and accept unevenly, one of them in a container; a listener
//! that its opener handed on; groups in which one member does it all.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::harness::acceptors::{HandedOn, Process};
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::summary::Summary;
use crate::harness::tracer::{Place, Tracer};
use crate::harness::wait;

/// What each worker accepts.
const SHARES: [u64; 3] = [12, 3, 1];
const CONTAINER: &str = "2403ccfe427f1dc7b6120dccb9ac58c2f8456950380d587a9f33ea7f00dd303d";

pub(super) fn run() {
    let netns = namespace::inode();
    let address = |port| Family::V4.loopback(port);
    // One of these will have nothing to do, and is not to be forgotten for that.
    let older = [(); 2].map(|()| Server::listen_in_group(address(8083), 10));
    let tracer = Tracer::start(Place::Outside, netns, &["--workers"]);

    // Two, which the address alone does not tell apart.
    let handed_on =
        [(); 2].map(|()| HandedOn::listening(Server::bound_in_group(address(8081)), 10));
    let shared = Server::listen(address(8080), 10);
    let mut workers = SHARES.map(|count| Process::accepting_only(&shared, count));
    let container = Container::make(workers[0].pid());
    connect(&shared, SHARES.iter().sum());
    let group = [(); 2].map(|()| Server::listen_in_group(address(8082), 50));
    let accepted = accept_unevenly(&group);
    let _client = Client::connect(older[0].address);
    wait::until("a connection", || older.iter().any(|server| server.depth() == 1));
    let lucky = older.iter().position(|server| server.depth() == 1).unwrap();
    drop(older[lucky].accept());
    is_listed(address(8080), workers[0].pid());

    let trace = tracer.stop();
    workers.iter_mut().for_each(Process::end);
    let summary = &trace.summary;
    assert!(summary.text.contains(&format!("namespace {netns} (owners)")), "{}", summary.text);
    assert_workers(summary, address(8080), &workers);
    let mut listens = trace.events.of("listen").filter(|event| event.port == 8081);
    let handed = summary.at(address(8081));
    assert_eq!(handed.len(), handed_on.len(), "\n{}", summary.text);
    for (process, section) in handed_on.iter().zip(handed) {
        let owner = format!("{} ({})", namespace::THREAD, process.heir());
        assert_eq!(section.owners, owner, "\n{}", summary.text);
        assert_eq!(listens.next().unwrap().pid, Some(process.opener()));
    }
    let slack = summary.slack();
    if slack == 0 {
        assert_group(summary, address(8082), accepted);
        assert_group(summary, address(8083), if lucky == 0 { [1, 0] } else { [0, 1] });
    }
    assert!(slack > 0 || !summary.text.contains("DO NOT BALANCE"), "\n{}", summary.text);
    drop(container);
}

/// Has that many clients connect and leave, when all have been accepted.
fn connect(server: &Server, count: u64) {
    // No more at a time than the queue holds.
    for _ in 0..count {
        let client = Client::connect(server.address);
        wait::until("a connection", || client.was_connected());
        wait::until("an accept", || server.depth() == 0 && server.half_open() == 0);
        client.reset();
    }
}

/// Has clients connect and accepts all that the first one has, of the second one's a single one.
fn accept_unevenly(group: &[Server; 2]) -> [u64; 2] {
    const CLIENTS: u32 = 40;
    let clients = Client::connect_many(group[0].address, CLIENTS as usize);
    let depths = || group.each_ref().map(Server::depth);
    wait::until("connections", || depths().iter().sum::<u32>() == CLIENTS);
    let [first, second] = depths();
    let counts = [first, second.min(1)];
    for (server, count) in group.iter().zip(counts) {
        drop(server.accept_all(count as usize));
    }
    crate::harness::client::reset_all(clients);
    counts.map(u64::from)
}

/// `queue-trace listeners` tells the container of the one worker that is in it, and of no other.
fn is_listed(address: SocketAddr, pid: u32) {
    let listed = program::listeners();
    let line = listed.iter().find(|line| line["port"] == address.port()).unwrap();
    let owners = line["owners"].as_array().unwrap();
    assert!(owners.len() > SHARES.len(), "{line}");
    for owner in owners {
        let container = &owner["container"];
        if owner["pid"] == pid {
            assert_eq!(
                (&container["runtime"], &container["id"]),
                (&"docker".into(), &CONTAINER.into())
            );
        } else {
            assert!(container.is_null(), "{line}");
        }
        let program = fs::read_link("/proc/self/exe").unwrap();
        assert_eq!(owner["executable"].as_str(), program.to_str(), "{line}");
    }
}

/// The summary tells what each worker accepted, and who holds the listener.
fn assert_workers(summary: &Summary, address: SocketAddr, workers: &[Process]) {
    let section = summary.only(address);
    let row = section.row("accepted by").unwrap();
    let name = namespace::THREAD;
    let told = |worker: &Process| {
        let begin = format!("{name} ({}) ", worker.pid());
        let part = row.split(", ").find_map(|part| part.strip_prefix(&begin));
        part.unwrap_or_default().parse::<u64>().unwrap_or_default()
    };
    for (worker, share) in workers.iter().zip(SHARES) {
        assert_eq!(worker.accepted(), share);
        let told = told(worker);
        assert!(told.abs_diff(share) <= summary.slack(), "{told}, not {share}: {row}");
        assert!(section.owners.contains(&worker.pid().to_string()), "{}", section.owners);
    }
    let place = format!("({}) in docker {}", workers[0].pid(), &CONTAINER[..12]);
    assert!(section.owners.contains(&place), "{}", section.owners);
}

/// The summary tells what each member of a group of two accepted, its share, and how uneven that is.
fn assert_group(summary: &Summary, address: SocketAddr, accepted: [u64; 2]) {
    let sum: u64 = accepted.iter().sum();
    let begin = format!("{address}  group of 2 listeners (SO_REUSEPORT)");
    let mut lines = summary.text.lines().skip_while(|line| !line.starts_with(&begin));
    let (counts, shares) = (lines.next().unwrap(), lines.next().unwrap());
    let [first, second] = accepted;
    // Those that were there before are in the order in which they were met.
    let terms = [format!("({first} + {second})"), format!("({second} + {first})")];
    let told = format!(": {sum} accepted ");
    assert!(counts.contains(&told) && terms.iter().any(|t| counts.contains(t)), "{counts}");
    for count in accepted {
        let share = format!("{:.1} %", count as f64 / sum as f64 * 100.0);
        assert!(shares.contains(&share), "{shares}");
    }
    let imbalance = (first.max(second) * 2) as f64 / sum as f64;
    assert!(shares.contains(&format!("imbalance {imbalance:.2} ")), "{shares}");
}

/// A control group with the name that Docker would give it.
struct Container(PathBuf);

impl Container {
    /// Makes it, with a process in it.
    fn make(pid: u32) -> Self {
        let path = PathBuf::from(format!("/sys/fs/cgroup/system.slice/docker-{CONTAINER}.scope"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("cgroup.procs"), pid.to_string()).unwrap();
        Self(path)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // An empty group is left behind if its process still ends.
        let _ = fs::remove_dir(&self.0);
    }
}
