//! The program as it is called: what it refuses, and how it ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::thread;

use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program::{
    HIDDEN_FROM_KPROBES, attach_arguments, by_kprobes, queue_trace, run,
};
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Tracer, exit};

/// User and group `nobody`.
const NOBODY: u32 = 65_534;

/// One line that says all of this, and the exit status.
fn assert_one_line(output: &Output, status: i32, parts: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("queue-trace: "), "{error}");
    assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} in {error}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

pub(super) fn wrong_usage() {
    for (arguments, part) in [
        (&["nonsense"][..], "nonsense"),
        (&["trace", "--nonsense"], "--nonsense"),
        (&["trace", "--port", "0"], "--port"),
        (&["trace", "--port", "65536"], "--port"),
        (&["trace", "--port", "http"], "--port"),
        (&["trace", "--duration", "soon"], "--duration"),
        (&["trace", "--duration=-1s"], "--duration"),
        (&["trace", "--duration", "0s"], "--duration"),
        (&["trace", "--count", "0"], "--count"),
        (&["trace", "--event", "nonsense"], "syn_refused"),
        (&["trace", "--format", "xml"], "json"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(error.contains(part), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

pub(super) fn not_root() {
    let output = queue_trace().arg("trace").uid(NOBODY).gid(NOBODY).output().unwrap();
    assert_one_line(&output, 1, &["root"]);
}

/// Root as many containers have it: what a thread has taken out of its bounding set, nothing that it
/// runs can have.
pub(super) fn no_capability() {
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::BPF | CapabilitySet::PERFMON;
    let powerless = || {
        needed.iter().for_each(|one| remove_capability_from_bounding_set(one).unwrap());
        run(&["trace"])
    };
    let output = thread::scope(|scope| scope.spawn(powerless).join().unwrap());
    assert_one_line(&output, 1, &["CAP_BPF", "queue-trace listeners"]);
}

/// A kernel without BTF, or a container that hides it.
pub(super) fn no_btf() {
    let script = "mount -t tmpfs none /sys/kernel/btf && exec queue-trace trace";
    let output = Command::new("unshare").args(["-m", "sh", "-c", script]).output().unwrap();
    assert_one_line(&output, 1, &["BTF"]);
}

/// As in `queue-trace trace | head -1`.
pub(super) fn closed_output() {
    let server = Server::listen(Family::V4.loopback(8080), 5);
    let mut command = queue_trace();
    command.args(["trace", "--format", "json", "--event", "accept"]).args(attach_arguments());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = errors.next().unwrap().unwrap();
    assert!(first.contains(": tracing "), "{first}");

    let mut output = BufReader::new(child.stdout.take().unwrap());
    let one = || {
        let client = Client::connect(server.address);
        server.accept();
        client
    };
    let client = one();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains(&client.address.port().to_string()), "{line}");
    drop(output);
    one();
    let status = exit(&mut child);
    assert_eq!(status.code(), Some(0), "{status}");
    let hidden = |line: &String| HIDDEN_FROM_KPROBES.iter().any(|it| line.contains(it));
    let rest = errors.map(Result::unwrap).filter(|line| !(by_kprobes() && hidden(line)));
    let rest: Vec<_> = rest.collect();
    assert_eq!(rest, [""; 0], "nothing more to say");
}

pub(super) fn filters_and_count() {
    const WANTED: usize = 3;
    let [wanted, other] = [8080, 8081].map(|port| Server::listen(Family::V4.loopback(port), 5));
    let count = WANTED.to_string();
    let arguments = ["--port", "8080", "--event", "accept", "--event", "listen", "--count", &count];
    let tracer = Tracer::start(Place::Inside, namespace::inode(), &arguments);
    let mut clients = Vec::new();
    for server in [&other, &wanted].repeat(WANTED + 1) {
        clients.push(Client::connect(server.address));
        server.accept();
    }
    let trace = tracer.finish();
    let expected: Vec<_> =
        clients.iter().skip(1).step_by(2).take(WANTED).map(|client| client.address).collect();
    let shown: Vec<_> = trace.events.0.iter().map(|event| event.client().unwrap()).collect();
    assert_eq!(shown, expected, "\n{}", trace.events);
    assert!(trace.events.0.iter().all(|event| event.event == "accept" && event.port == 8080));
    // The summary keeps to the port, and counts what was not shown too.
    assert!(trace.summary.at(other.address).is_empty(), "{}", trace.summary.text);
    let section = trace.summary.only(wanted.address);
    assert!(section.counts["accept"] >= WANTED as u64, "{section:?}");
    assert!(section.counts["established"] >= WANTED as u64, "{section:?}");
}
