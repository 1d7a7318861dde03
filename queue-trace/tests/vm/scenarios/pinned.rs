//! `queue-trace serve --pin`: a daemon that is killed while its listeners are loaded, and the one after it, which
//! goes on with what was counted meanwhile. Beside it another one without pins, which each leaves alone.

use std::net::SocketAddr;
use std::path::Path;

use crate::harness::client::{Client, reset_all};
use crate::harness::daemon::Daemon;
use crate::harness::family::Family;
use crate::harness::metrics::Metrics;
use crate::harness::netstat::Counters;
use crate::harness::program::{
    self, attach_arguments, by_kprobes, has_three_numbers, kernel_release,
};
use crate::harness::server::Server;
use crate::harness::wait;

const BACKLOG: u32 = 5;
/// Of no other scenario: the daemon sees what they have left, too.
const PORT: u16 = 8790;
const CONFIGURATION: &str = "[serve]\ninterval = \"100ms\"\npoll = \"1s\"\n";
/// Where metrics are served: by default, and by the daemon without pins.
const ENDPOINTS: [u16; 2] = [9846, 9847];

/// What clients have done at a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Done {
    accepted: u64,
    refused: u64,
}

pub(super) fn run() {
    if by_kprobes() && !kprobes_have_links() {
        return without_pins();
    }
    let before = Counters::read();
    let server = Server::listen(Family::V4.loopback(PORT), BACKLOG as i32);
    let first = start(&["--pin"]);
    overload(&server);
    wait_for(ENDPOINTS[0], &server, done(&before, 1));
    first.kill();
    // Nobody is there, and everything is counted; at a new listener, too, and at one that is gone when somebody comes.
    // These are IPv6: the program that their SYNs go on with must still be found.
    let gone = Server::listen(Family::V6.loopback(PORT + 2), BACKLOG as i32);
    let unseen = Counters::read();
    overload(&gone);
    let (past, at_past) = (gone.address, done(&unseen, 1));
    drop(gone);
    let later = Server::listen(Family::V6.loopback(PORT + 1), BACKLOG as i32);
    overload(&server);
    let between = Counters::read();
    overload(&later);

    let second = start(&["--pin"]);
    second.wait_for("what it goes on with", |log| {
        log.contains("going on with what is counted since")
    });
    let refused = between.since(&before, "ListenOverflows") - at_past.refused;
    let at_server = Done { refused, ..done(&before, 2) };
    wait_for_at(ENDPOINTS[0], past, at_past);
    wait_for(ENDPOINTS[0], &server, at_server);
    wait_for(ENDPOINTS[0], &later, done(&between, 1));
    wait_even(ENDPOINTS[0]);
    refuses_a_second_one();

    // Another one, that knows nothing of what was before it; and what is there goes on.
    let listen = format!("127.0.0.1:{}", ENDPOINTS[1]);
    let others = Counters::read();
    let beside = Daemon::start_beside("beside", CONFIGURATION, &["--listen", &listen]);
    overload(&later);
    wait_for(ENDPOINTS[1], &later, done(&others, 1));
    wait_for(ENDPOINTS[1], &server, Done::default());
    wait_for(ENDPOINTS[0], &later, done(&between, 2));
    ENDPOINTS.into_iter().for_each(wait_even);
    beside.end();
    second.end();
    begins_anew(&server);
    takes_away();
}

/// It says that nothing is pinned, and works.
fn without_pins() {
    let daemon = start(&["--pin"]);
    daemon.wait_for("what is not pinned", |log| log.contains("nothing is pinned: on this kernel"));
    daemon.end();
    assert!(!Path::new("/sys/fs/bpf/queue-trace").exists());
}

fn start(arguments: &[&str]) -> Daemon {
    let attach = attach_arguments();
    let attach = attach.iter().map(String::as_str);
    Daemon::start(CONFIGURATION, &arguments.iter().copied().chain(attach).collect::<Vec<_>>())
}

/// Fills the accept queue, has clients refused, and accepts all that are in.
fn overload(server: &Server) {
    let before = Counters::read();
    let waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, 3);
    wait::until("refusals", || Counters::read().since(&before, "ListenOverflows") >= 3);
    // Before there is room again: they would come in.
    reset_all(refused);
    drop(server.accept_all(waiting.len()));
    reset_all(waiting);
}

/// What so many loads were at the only listener that had any since then.
fn done(before: &Counters, loads: u64) -> Done {
    let refused = Counters::read().since(before, "ListenOverflows");
    Done { accepted: loads * u64::from(BACKLOG + 1), refused }
}

/// Waits until the daemon tells of a listener what was done there.
fn wait_for(port: u16, server: &Server, done: Done) {
    wait_for_at(port, server.address, done);
}

/// The same of one that may be gone.
fn wait_for_at(port: u16, listener: SocketAddr, done: Done) {
    let mut told = None;
    let as_done = || {
        let metrics = Metrics::read(port);
        let at = |metric| metrics.at(metric, listener);
        let now = Done {
            accepted: at("queuetrace_accepts_total"),
            refused: at("queuetrace_refusals_total"),
        };
        if told.replace(now) != Some(now) {
            eprintln!("{listener}: {now:?}, to be {done:?}");
        }
        now == done
    };
    wait::until("what was done", as_done);
}

/// The kernel's counters are read less often than ours.
fn wait_even(port: u16) {
    let even = |metrics: &Metrics| {
        let mut books = metrics.values("queuetrace_balance_difference");
        books.all(|(_, difference)| difference == 0.0)
    };
    wait::until("books that balance", || even(&Metrics::read(port)));
    Metrics::read(port).assert_even();
}

/// From Linux 5.15 on; aya has to read the version for that.
fn kprobes_have_links() -> bool {
    let release = kernel_release();
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap(), numbers.next().unwrap_or(0));
    has_three_numbers(&release) && version >= (5, 15)
}

fn refuses_a_second_one() {
    let output = program::run(&["serve", "--pin", "--listen", "127.0.0.1:9848"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/sys/fs/bpf/queue-trace is in use by another queue-trace"), "{said}");
}

/// With other settings what is pinned would be misunderstood.
fn begins_anew(server: &Server) {
    let daemon = start(&["--pin", "--stream", "listen"]);
    daemon.wait_for("why it begins anew", |log| {
        log.contains("starting anew, not with what is pinned: its settings are others")
    });
    let before = Counters::read();
    overload(server);
    wait_for(ENDPOINTS[0], server, done(&before, 1));
    wait_even(ENDPOINTS[0]);
    daemon.end();
}

fn takes_away() {
    for said in ["nothing is pinned any more", "nothing was pinned"] {
        let output = program::run(&["serve", "--unpin"]);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(said), "{output:?}");
        assert!(!Path::new("/sys/fs/bpf/queue-trace").exists());
    }
}
