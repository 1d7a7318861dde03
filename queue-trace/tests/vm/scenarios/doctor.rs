//! `queue-trace doctor` over a mixed load: it finds every difference to be 0.

use std::io::Read;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::netstat::Counters;
use crate::harness::packets::{self, Reply};
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::sysctl;
use crate::harness::tracer::exit;
use crate::harness::wait;
use crate::harness::wire::Wire;

const BACKLOG: u32 = 3;
/// What the load raises, each by something else.
const RAISED: &[&str] = &[
    "ListenOverflows",
    "ListenDrops",
    "SyncookiesSent",
    "SyncookiesRecv",
    "SyncookiesFailed",
    "TCPReqQFullDoCookies",
    "TCPDeferAcceptDrop",
    "EmbryonicRsts",
];

pub(super) fn run() {
    let mut doctor = namespace::outside(|| {
        let mut command = program::queue_trace();
        command.args(["doctor", "--duration", "5m"]).args(program::attach_arguments());
        command.stdout(Stdio::piped()).spawn().unwrap()
    });
    wait::until("all programs to be attached", || is_waiting(&doctor));
    let before = Counters::read();
    load();
    let after = Counters::read();
    kill_process(Pid::from_child(&doctor), Signal::INT).unwrap();
    let status = exit(&mut doctor);
    let mut text = String::new();
    doctor.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(status.success(), "{text}");
    let heading = format!("namespace {}: the books balance", namespace::inode());
    let book = text.split(&heading).nth(1).unwrap_or_else(|| panic!("{heading}?\n{text}"));
    let lines = || book.lines().skip(1).take_while(|line| line.starts_with("  "));
    assert!(lines().all(|line| line.ends_with("difference 0")), "{text}");
    for counter in RAISED {
        let moved = after.since(&before, counter);
        assert!(moved > 0, "the load did not raise {counter}");
        let line = lines().find(|line| line.split_whitespace().next() == Some(counter));
        let line = line.unwrap_or_else(|| panic!("{counter} is missing:\n{text}"));
        assert!(line.contains(&format!("kernel {moved:>10}  listeners {moved:>10}")), "{line}");
    }
}

/// Whether it has programs in the kernel and sleeps.
fn is_waiting(doctor: &Child) -> bool {
    let path = format!("/proc/{}", doctor.id());
    let attached = std::fs::read_dir(format!("{path}/fd")).unwrap().flatten().any(|file| {
        std::fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy().contains("bpf"))
    });
    // The number of the call that it sleeps in, of the main thread.
    let call = || std::fs::read_to_string(format!("{path}/syscall")).unwrap();
    let sleeps = |call: &str| call.starts_with(&format!("{} ", libc::SYS_epoll_wait));
    let first = attached && sleeps(&call());
    std::thread::sleep(Duration::from_millis(200));
    first && sleeps(&call())
}

fn load() {
    sysctl::set("ipv4.tcp_syncookies", 1);
    let wire = Wire::lay(Family::V4);
    let full = Server::listen(Family::V6.loopback(8001), BACKLOG as i32);
    let waiting = full.fill(BACKLOG + 1);
    let refused = Client::connect_many(full.address, 2);
    wait::until("refusals", || Counters::read().get("ListenOverflows") >= 2);
    reset_all(refused);
    reset_all(waiting);

    // Beyond what the SYN queue holds there are cookies; one comes back, and one that never was.
    let flooded = Server::listen(wire.server(8002), BACKLOG as i32);
    let synacks: Vec<_> =
        (0..=2 * BACKLOG as u16).map(|n| wire.half_open(wire.client(n), flooded.address)).collect();
    let cookie = synacks.last().unwrap();
    acknowledge(&wire, cookie, flooded.address, cookie.sequence.wrapping_add(1));
    wait::until("a connection by cookie", || flooded.depth() == 1);
    acknowledge(&wire, &synacks[synacks.len() - 2], flooded.address, 77);
    wait::until("a cookie to fail", || Counters::read().get("SyncookiesFailed") == 1);
    // A client that thinks better of it.
    wire.send(&packets::rst(wire.client(0), flooded.address));
    wait::until("a reset", || Counters::read().get("EmbryonicRsts") == 1);
    flooded.accept();

    let deferring = Server::listen_deferring(wire.server(8003), 5);
    let synack = wire.half_open(wire.client(50), deferring.address);
    acknowledge(&wire, &synack, deferring.address, synack.sequence.wrapping_add(1));
    wait::until("an ACK to be held back", || Counters::read().get("TCPDeferAcceptDrop") == 1);
}

fn acknowledge(wire: &Wire, synack: &Reply, to: std::net::SocketAddr, number: u32) {
    wire.send(&packets::ack(synack.client, to, number));
}
