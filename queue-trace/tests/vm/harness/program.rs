//! `queue-trace` as a program that runs to its end.

use std::process::{Command, Output};

use serde_json::Value;

/// The program, found by `PATH`.
pub(crate) fn queue_trace() -> Command {
    let mut command = Command::new("queue-trace");
    // Colours and such depend on the environment; a scenario does not.
    command.env_remove("RUST_LOG");
    command
}

/// How commands that attach are to do so in this run: `cargo xtask test vm --attach`.
pub(crate) fn attach_arguments() -> Vec<String> {
    let how = std::env::var("QUEUE_TRACE_TEST_ATTACH");
    how.map_or_else(|_| Vec::new(), |how| vec!["--attach".to_owned(), how])
}

/// What is said to be hidden from kprobes on every kernel, and on those before 6.7.
pub(crate) const HIDDEN_FROM_KPROBES: [&str; 2] =
    ["accept() that returns an error", "probes that the kernel skips while another one runs"];

/// Whether they attach by kprobes, which do not see everything.
pub(crate) fn by_kprobes() -> bool {
    attach_arguments().iter().any(|argument| argument == "kprobe")
}

/// Whether programs read any address for a few instructions: by fentry, with `bpf_rdonly_cast`, which is there from 6.2 on.
pub(crate) fn reads_cheaply() -> bool {
    !by_kprobes() && is_from(6, 2)
}

/// Whether counters stand in for the allocation of requests: by fentry, where entering a program is dear.
pub(crate) fn counters_tell_progress() -> bool {
    !by_kprobes() && is_from(5, 19)
}

/// Whether the kernel is of this version or a later one.
pub(crate) fn is_from(major: u32, minor: u32) -> bool {
    let release = kernel_release();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

/// The kernel's release; like `7.3-cloud-amd64` for the first one of a series.
pub(crate) fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Whether it begins with three numbers, by which alone aya knows a version.
pub(crate) fn has_three_numbers(release: &str) -> bool {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    (0..3).all(|_| parts.next().is_some_and(|part| part.parse::<u32>().is_ok()))
}

/// Runs it with these arguments in the calling thread's namespace.
pub(crate) fn run(arguments: &[&str]) -> Output {
    queue_trace().args(arguments).output().expect("cannot run queue-trace")
}

/// The listeners of the calling thread's namespace, as `queue-trace listeners` has them.
pub(crate) fn listeners() -> Vec<Value> {
    let output = run(&["listeners", "--netns", "own", "--format", "json"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
