//! `queue-trace serve` where it polls, with real sockets in network namespaces made for the purpose.
//! Needs root, but no BPF.

#![expect(clippy::unwrap_used, clippy::panic, reason = "failing is how a test reports")]

#[path = "../support/netns.rs"]
mod netns;
mod support;

use std::fs::{self, File};
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use netns::in_fresh_netns;
use queue_trace::model::{Listener, Snapshot, Totals};
use queue_trace::netlink;
use queue_trace::procfs::Namespace;
use queue_trace::source::Poll;
use rustix::process::Signal;
use support::{Daemon, connect, folder, listen, serve, serve_as_nobody, until};

const POLL: &[&str] = &["--attach", "poll", "--interval", "100ms"];
/// What the first line after the start has.
const STARTED: &str = "listeners by poll";

/// The listeners of a namespace on a port.
fn at(snapshot: &Snapshot, netns: u64, port: u16) -> Vec<&(Listener, Totals)> {
    let same = |l: &Listener| u64::from(l.netns) == netns && l.port == port;
    snapshot.listeners.iter().filter(|(listener, _)| same(listener)).collect()
}

/// Waits until that many connections wait at a listener of this namespace.
fn wait_for_depth(port: u16, depth: u32) {
    until("connections to wait", || {
        let listeners = netlink::listeners().unwrap();
        listeners.iter().any(|listener| (listener.port, listener.depth) == (port, depth))
    });
}

#[test]
fn polling_sees_queues_limits_owners_and_drops() {
    in_fresh_netns(|| {
        let netns = Namespace::own().unwrap().inode;
        let server = listen(7001, 2);
        let (mut poll, _) = Poll::start().unwrap();
        let snapshot = poll.watch().unwrap();
        assert_eq!(snapshot.tier, "poll");
        let (listener, totals) = at(&snapshot, netns, 7001)[0];
        assert_eq!((listener.limit, totals.waiting, totals.accept_peak), (2, 0, 0));
        assert!(listener.owners.iter().any(|owner| owner.pid == std::process::id()));
        let id = listener.id;

        let _waiting: Vec<_> = (0..3).map(|_| connect(7001)).collect();
        wait_for_depth(7001, 3);
        let _refused = [connect(7001), connect(7001)];
        let snapshot = poll.watch().unwrap();
        let (listener, totals) = at(&snapshot, netns, 7001)[0];
        assert_eq!((listener.id, totals.waiting, totals.accept_peak), (id, 3, 3));
        assert!(totals.drops >= Some(2), "{totals:?}");
        let full_before = totals.accept_full_ns;

        std::thread::sleep(Duration::from_millis(20));
        poll.survey().unwrap();
        let snapshot = poll.watch().unwrap();
        let (_, totals) = at(&snapshot, netns, 7001)[0];
        assert!(totals.accept_full_ns >= full_before + 20_000_000, "{totals:?}");
        let counters = snapshot.counters.iter().find(|c| u64::from(c.netns) == netns).unwrap();
        let overflows = counters.counters.iter().find(|(name, _)| *name == "ListenOverflows");
        assert!(overflows.unwrap().1 >= 2, "{counters:?}");

        drop(server);
        let snapshot = poll.watch().unwrap();
        let (listener, totals) = at(&snapshot, netns, 7001)[0];
        assert_eq!((listener.closed, totals.waiting, totals.accept_peak), (true, 0, 3));
        // At the same place again: what closed and what listens are two.
        let _again = listen(7001, 9);
        poll.survey().unwrap();
        let snapshot = poll.watch().unwrap();
        let limits: Vec<_> =
            at(&snapshot, netns, 7001).iter().map(|(l, _)| (l.closed, l.limit)).collect();
        assert_eq!(limits, [(true, 2), (false, 9)]);
    });
}

#[test]
fn a_full_queue_is_logged_and_told_of_at_the_end() {
    in_fresh_netns(|| {
        let _server = listen(7001, 2);
        let mut daemon = Daemon::start(&mut serve(POLL));
        daemon.wait_for(STARTED);
        let _waiting: Vec<_> = (0..3).map(|_| connect(7001)).collect();
        wait_for_depth(7001, 3);
        let _refused = [connect(7001), connect(7001)];
        let line = daemon.wait_for("127.0.0.1:7001 (");
        assert!(line.contains(" WARN ") && line.contains("packets (sk_drops)"), "{line}");
        assert!(line.ends_with("accept queue 3/2"), "{line}");
        // History is kept by the second.
        std::thread::sleep(Duration::from_millis(1100));
        let (status, rest) = daemon.end();
        assert!(status.success(), "{status}");
        let told = rest.iter().find(|line| line.contains("7001") && line.contains("at most 3/2"));
        assert!(told.is_some_and(|line| line.contains(" INFO ")), "{rest:#?}");
        let last = rest.last().unwrap();
        assert!(last.contains("with trouble") && !last.contains(" 0 points"), "{last}");
    });
}

#[test]
fn an_ordinary_user_gets_what_can_be_polled_and_is_told_why() {
    in_fresh_netns(|| {
        let _server = listen(7001, 2);
        let _waiting: Vec<_> = (0..3).map(|_| connect(7001)).collect();
        wait_for_depth(7001, 3);
        let mut daemon = Daemon::start(&mut serve_as_nobody(&["--interval", "100ms"]));
        let why = daemon.wait_for("by poll only");
        assert!(why.contains("tracing needs root, or CAP_BPF and CAP_PERFMON"), "{why}");
        daemon.wait_for("queue-trace 0.");
        daemon.wait_for("not visible here: refusals with their reasons");
        daemon.wait_for("owners of 1 listeners are not visible");
        std::thread::sleep(Duration::from_millis(300));
        let (status, rest) = daemon.end();
        assert!(status.success(), "{status}");
        assert!(rest.iter().any(|line| line.contains("127.0.0.1:7001: at most 3/2")), "{rest:#?}");
    });
}

#[test]
fn what_is_forced_and_refused_is_a_failure() {
    let output = serve_as_nobody(&["--attach", "fentry"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("queue-trace: ") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_hangup_reloads_what_can_be_reloaded() {
    let file = folder("reload").join("queue-trace.toml");
    fs::write(&file, "[serve]\nattach = \"poll\"\ninterval = \"200ms\"\n").unwrap();
    let mut daemon = Daemon::start(&mut serve(&["--config", file.to_str().unwrap()]));
    daemon.wait_for("read each 200ms");
    let text = "[serve]\nattach = \"auto\"\ninterval = \"300ms\"\n[log]\nlevel = \"debug\"\n";
    fs::write(&file, text).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for("configuration reloaded: log.level, serve.interval");
    daemon.wait_for("serve.attach cannot change while the daemon runs: restart it");
    fs::write(&file, "[serve]\nintervals = \"1s\"\n").unwrap();
    daemon.signal(Signal::HUP);
    let line = daemon.wait_for("the configuration stays as it is");
    assert!(line.contains(&format!("{}:2: ", file.display())), "{line}");
    assert!(line.ends_with("there is no key `intervals`: did you mean `interval`?"), "{line}");
    assert!(daemon.end().0.success());
}

#[test]
fn the_service_manager_is_told() {
    let path = folder("notify").join("socket");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = serve(POLL);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut daemon = Daemon::start(&mut command);
    daemon.wait_for(STARTED);
    let told = |begin: &str| loop {
        let mut bytes = [0; 512];
        let length = manager.recv(&mut bytes).expect(begin);
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.starts_with(begin) {
            return text;
        }
    };
    assert!(told("READY=1").contains("\nSTATUS=poll: "));
    told("WATCHDOG=1");
    told("WATCHDOG=1");
    daemon.signal(Signal::HUP);
    told("RELOADING=1\nMONOTONIC_USEC=");
    told("READY=1");
    assert!(daemon.end().0.success());
    told("STOPPING=1");
}

#[test]
fn the_journal_gets_priorities_and_no_times() {
    let path = folder("journal").join("log");
    let log = File::create(&path).unwrap();
    let stat = log.metadata().unwrap();
    let mut command = serve(&[POLL, &["--log", "info"]].concat());
    command.env("JOURNAL_STREAM", format!("{}:{}", stat.st_dev(), stat.st_ino())).stderr(log);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let text = || fs::read_to_string(&path).unwrap();
    until("the first lines", || text().contains("not visible here"));
    child.kill().unwrap();
    child.wait().unwrap();
    let text = text();
    for (words, priority) in [("queue-trace 0.", "<6>"), ("not visible here", "<4>")] {
        let line = text.lines().find(|line| line.contains(words)).unwrap();
        assert!(line.starts_with(priority), "{line}");
    }
    assert!(text.lines().all(|line| line.starts_with("<4>") || line.starts_with("<6>")), "{text}");
}

#[test]
fn flags_stand_over_the_environment_and_that_over_the_file() {
    let file = folder("layers").join("queue-trace.toml");
    fs::write(&file, "[serve]\nattach = \"poll\"\ninterval = \"200ms\"\n").unwrap();
    for (variable, flags, expected) in [
        ("200ms", &[][..], "read each 200ms"),
        ("300ms", &[], "read each 300ms"),
        ("300ms", &["--interval", "400ms"], "read each 400ms"),
    ] {
        let mut command = serve(flags);
        command.env("QUEUE_TRACE_CONFIG", &file).env("QUEUE_TRACE_SERVE_INTERVAL", variable);
        let mut daemon = Daemon::start(&mut command);
        daemon.wait_for(expected);
        assert!(daemon.end().0.success());
    }
}

#[test]
fn a_configuration_is_checked_without_running() {
    let file = folder("check").join("queue-trace.toml");
    let path = file.to_str().unwrap();
    let check = |text: &str| {
        fs::write(&file, text).unwrap();
        serve(&["--check-config", "--config", path]).output().unwrap()
    };
    let good = check("[history]\nmemory = \"4MiB\"\n");
    assert!(good.status.success(), "{good:?}");
    let bad = check("[history]\nmemmory = \"4MiB\"\n");
    assert_eq!(bad.status.code(), Some(2));
    let line =
        format!("queue-trace: {path}:2: there is no key `memmory`: did you mean `memory`?\n");
    assert_eq!(String::from_utf8_lossy(&bad.stderr), line);
    let missing = serve(&["--check-config", "--config", "/nowhere/q.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
}
