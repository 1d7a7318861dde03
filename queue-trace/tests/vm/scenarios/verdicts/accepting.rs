//! Listeners that do not accept, or not in time, and limits that are not what one thinks.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Report, doctor};
use crate::harness::acceptors::Process;
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::wait;

const BACKLOG: u32 = 2;
const V4: Family = Family::V4;

pub(in crate::scenarios) fn run() {
    let (stopped, process, mut clients) = stopped();
    let began = Instant::now();
    // `causes` has what the scheduler tells.
    let doctor = doctor(&["--fail-on", "critical", "--without-hook", "sched_switch"]);
    let (kept_up, more) = kept_up();
    clients.extend(more);
    let (burst, full_for) = burst(&mut clients);
    let slow = slow(&mut clients);
    let limits = limits();
    let (uneven, even) = groups(&mut clients);
    let (restarted, handed_over) = restarts(&mut clients);
    // A burst is one when the queue was full for less than a tenth of the time.
    let short = full_for * 12;
    std::thread::sleep(short.saturating_sub(began.elapsed()).max(Duration::from_millis(1500)));
    let (success, report) = Report::of(doctor);

    assert!(!success, "--fail-on critical");
    report.assert("stopped_acceptor", &stopped, &kept_up);
    let said = report.only(&stopped);
    assert_eq!(said["severity"], "critical", "{said:#}");
    let verdict = &said["verdict"];
    assert_eq!(verdict["evidence"]["cause"], "stopped", "{said:#}");
    assert_eq!(report.0["scheduler"], "sched_switch is left out");
    assert_eq!(verdict["evidence"]["slept_ns"], Value::Null, "{said:#}");
    let step = verdict["change"][0].as_str().unwrap();
    assert!(step.starts_with(&format!("kill -CONT {}", process.pid())), "{said:#}");
    assert_eq!(report.only(&kept_up)["verdict"]["rule"], "healthy");

    report.assert("burst", &burst, &kept_up);
    assert_eq!(report.only(&burst)["verdict"]["rule"], "burst", "{:#}", report.only(&burst));
    report.assert("slow_timers", &burst, &kept_up);
    report.assert("slow_acceptor", &slow, &burst);
    let [clamped, granted, raised] = &limits;
    report.assert("backlog_clamped", clamped, granted);
    report.assert("listen_again", raised, clamped);
    let explained = report.only(raised)["limit_explained"].as_str().unwrap();
    let words = "asked 64, got 4 because somaxconn was 4 when listen() ran; it is 128 now: restart or call \
                 listen() again";
    assert_eq!(explained, words);
    report.assert("uneven_group", &uneven[0], &even[0]);
    report.assert("lost_at_restart", &restarted, &handed_over);
    drop((process, clients));
}

/// A queue that is full when doctor comes; its process is stopped, and nothing happens.
fn stopped() -> (Server, Process, Vec<Client>) {
    let server = Server::listen(V4.loopback(8001), BACKLOG as i32);
    let process = Process::accepting(&server);
    let pid = Pid::from_raw(process.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let stat = format!("/proc/{}/stat", process.pid());
    wait::until("a process to stop", || {
        std::fs::read_to_string(&stat).unwrap().rsplit_once(')').unwrap().1.starts_with(" T")
    });
    let clients = server.fill(BACKLOG + 1);
    (server, process, clients)
}

/// The queue gets full, nobody is refused, and one is accepted.
fn kept_up() -> (Server, Vec<Client>) {
    let server = Server::listen(V4.loopback(8002), BACKLOG as i32);
    let clients = server.fill(BACKLOG + 1);
    server.accept();
    (server, clients)
}

/// More than fit, for a moment; how long that was.
fn burst(clients: &mut Vec<Client>) -> (Server, Duration) {
    let server = Server::listen(V4.loopback(8003), BACKLOG as i32);
    let before = Counters::read().get("ListenOverflows");
    let begin = Instant::now();
    let inside = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, 2);
    wait::until("refusals", || Counters::read().get("ListenOverflows") >= before + 2);
    server.accept_all(inside.len());
    let full_for = begin.elapsed();
    // They come again.
    server.accept_all(refused.len());
    clients.extend(inside.into_iter().chain(refused));
    (server, full_for)
}

/// One is accepted, and the queue is full from then on.
fn slow(clients: &mut Vec<Client>) -> Server {
    let server = Server::listen(V4.loopback(8004), BACKLOG as i32);
    clients.extend(server.fill(BACKLOG + 1));
    server.accept();
    clients.extend(server.fill(BACKLOG + 1));
    let before = Counters::read().get("ListenOverflows");
    clients.push(Client::connect(server.address));
    wait::until("a refusal", || Counters::read().get("ListenOverflows") > before);
    server
}

/// One that `somaxconn` cuts, one that gets all it asks for, one that has not heard of the new `somaxconn`.
fn limits() -> [Server; 3] {
    sysctl::set("core.somaxconn", 4);
    let raised = Server::listen(V4.loopback(8007), 64);
    let granted = Server::listen(V4.loopback(8006), 4);
    sysctl::set("core.somaxconn", 128);
    let clamped = Server::listen(V4.loopback(8005), 1000);
    [clamped, granted, raised]
}

/// A group in which one refuses beside an idle one, and one in which both are full.
fn groups(clients: &mut Vec<Client>) -> ([Server; 2], [Server; 2]) {
    let group = |port, backlogs: [i32; 2]| {
        backlogs.map(|backlog| Server::listen_in_group(V4.loopback(port), backlog))
    };
    let uneven = group(8008, [1, 40]);
    let even = group(8009, [1, 1]);
    let address = uneven[0].address;
    let mut overflow = |address, enough: &dyn Fn() -> bool| {
        let before = Counters::read().get("ListenOverflows");
        wait::until("refusals", || {
            clients.push(Client::connect(address));
            // The other member has nothing to do with refusals that begin before the first one is full.
            enough() && Counters::read().get("ListenOverflows") > before
        });
    };
    overflow(address, &|| {
        uneven[1].accept_all(uneven[1].depth() as usize);
        uneven[0].depth() == 2
    });
    overflow(even[0].address, &|| even.iter().all(|server| server.depth() == 2));
    // The idle one keeps up to the end.
    uneven[1].accept_all(uneven[1].depth() as usize);
    (uneven, even)
}

/// Listeners that were replaced, one with connections waiting, one without.
fn restarts(clients: &mut Vec<Client>) -> (Server, Server) {
    let mut restart = |port, accepts: bool| {
        let old = Server::listen_in_group(V4.loopback(port), 5);
        clients.extend(old.fill(2));
        if accepts {
            old.accept_all(2);
        }
        let new = Server::listen_in_group(V4.loopback(port), 5);
        drop(old);
        new
    };
    (restart(8010, false), restart(8011, true))
}
