//! `queue-trace serve`: a loaded listener, whose refusals in the log add up to what the kernel counted;
//! a reload; the end. And a thousand listeners, in little memory.

use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::harness::client::Client;
use crate::harness::daemon::Daemon;
use crate::harness::family::Family;
use crate::harness::metrics::Metrics;
use crate::harness::netstat::Counters;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::wait;

const BACKLOG: u32 = 5;
const REFUSED: usize = 4;
/// Of no other scenario: the daemon sees what they have left, too.
const PORT: u16 = 8765;
/// Where the daemon serves its metrics.
const ENDPOINT: u16 = 9846;
/// Read often, log at once: a scenario is short.
const CONFIGURATION: &str = "[serve]\ninterval = \"100ms\"\nrefusals = \"100ms\"\npoll = \"1s\"\n";
/// How many listeners there are in the scenario with many.
const MANY: u16 = 1_000;
/// How long the daemon is watched while nothing happens.
const IDLE: Duration = Duration::from_secs(10);
/// The most that the daemon may take with them, KiB; beside it the kernel's maps, which it shares.
const MEMORY: u64 = 30 << 10;

pub(super) fn run(family: Family) {
    let idle = Server::listen(family.loopback(PORT + 1), 7);
    let arguments = program::attach_arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let daemon = Daemon::start(CONFIGURATION, &arguments);
    let before = Counters::read();
    let server = Server::listen(family.loopback(PORT), BACKLOG as i32);
    let waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, REFUSED);
    let overflows = || Counters::read().since(&before, "ListenOverflows");
    // Each sends its SYN again after a second.
    wait::until("refusals", || overflows() >= 2 * REFUSED as u64);
    judged(&server, "stopped_acceptor", "critical");
    judged(&idle, "healthy", "fine");
    daemon.reload(&format!("{CONFIGURATION}btf = \"/nowhere\"\n[history]\nlisteners = 9\n"));
    daemon.wait_for("the reload", |log| log.contains("configuration reloaded: history.listeners"));
    daemon.wait_for("what cannot change", |log| log.contains("serve.btf cannot change"));

    let accepted = server.accept_all(waiting.len() + refused.len());
    let overflows = overflows();
    daemon.wait_for("all refusals", |log| logged(log, server.address.port()) >= overflows);
    let log = daemon.end();
    assert_eq!(logged(&log, server.address.port()), overflows, "{log}");
    assert_eq!(logged(&log, idle.address.port()), 0, "{log}");
    // The owner is this process, by the name of the thread that called `listen()` or by its own.
    let (place, owner) =
        (format!("{} (", server.address), format!(", pid {})", std::process::id()));
    let about = |line: &&str| line.contains(&place) && line.contains(&owner);
    let line = log.lines().rfind(about).unwrap();
    for part in [
        format!("at most {}/{BACKLOG} waited", BACKLOG + 1),
        format!("{} established", accepted.len()),
        format!("{} accept", accepted.len()),
    ] {
        assert!(line.contains(&part), "{part}?\n{log}");
    }
    let refusals = counts(line, " syn_refused") + counts(line, " ack_refused");
    assert_eq!(refusals, overflows, "{line}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("1 with trouble") && !last.contains(" 0 points"), "{log}");
}

/// Waits until the daemon says so of a listener.
fn judged(server: &Server, rule: &str, severity: &str) {
    let mark = format!("port=\"{}\"", server.address.port());
    let said = format!("rule=\"{rule}\",severity=\"{severity}\"");
    wait::until("a verdict", || {
        let metrics = Metrics::read(ENDPOINT);
        let mut verdicts = metrics.values("queuetrace_verdict");
        verdicts.any(|(labels, value)| {
            labels.contains(&mark) && labels.ends_with(&said) && value == 1.0
        })
    });
}

/// The sum of what was refused in the log's warnings about a port. Clients that all try again when one
/// connection was accepted may have their final ACKs refused, too.
fn logged(log: &str, port: u16) -> u64 {
    let mark = format!(":{port} ");
    let lines = log.lines().filter(|line| line.contains(" WARN ") && line.contains(&mark));
    lines.map(|line| counts(line, " SYNs (") + counts(line, " final ACKs (")).sum()
}

/// The sum of the numbers before each occurrence of these words.
fn counts(line: &str, words: &str) -> u64 {
    let number = |(at, _): (usize, &str)| line[..at].rsplit(' ').next()?.parse::<u64>().ok();
    line.match_indices(words).filter_map(number).sum()
}

/// Half of the listeners are there before the daemon, half come later; each has a client.
pub(super) fn many() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let listen = |n: u16| Server::listen(Family::V4.loopback(20_000 + n), 5);
    let mut servers: Vec<_> = (0..MANY / 2).map(listen).collect();
    let arguments = program::attach_arguments();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let daemon = Daemon::start("", &arguments);
    servers.extend((MANY / 2..MANY).map(listen));
    for server in &servers {
        let _client = Client::connect(server.address);
        server.accept();
    }
    let pid = daemon.pid();
    // It reads each of them several times, and then has nothing to do.
    sleep(Duration::from_secs(2));
    let busy = processor_time(pid);
    sleep(IDLE);
    let idle = (processor_time(pid) - busy) / IDLE.as_secs_f64();
    let (own, maps) = resident(pid);
    eprintln!(
        "serve: {MANY} listeners, {own} KiB resident and {maps} KiB of maps, idle at {:.3} % of a processor",
        100.0 * idle,
    );
    let log = daemon.end();
    // The endpoint of the daemon is one more.
    let told = format!(" {} listeners in ", MANY + 1);
    assert!(log.lines().last().unwrap().contains(&told), "{log}");
    assert!(own <= MEMORY, "{own} KiB");
}

/// For how long a process has run, seconds.
fn processor_time(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// What of a process' memory is resident, KiB: its own, and the kernel's maps that it shares.
fn resident(pid: u32) -> (u64, u64) {
    let mappings = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut of_map = false;
    let (mut own, mut maps) = (0, 0);
    for line in mappings.lines() {
        // A mapping begins with its addresses.
        if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            of_map = line.contains("anon_inode:bpf");
        }
        if let Some(size) = line.strip_prefix("Rss:") {
            let size: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
            *if of_map { &mut maps } else { &mut own } += size;
        }
    }
    (own, maps)
}
