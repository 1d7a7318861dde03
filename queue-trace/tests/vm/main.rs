//! Scenarios with real sockets and crafted packets, on a kernel of a guest: `cargo xtask test vm`.
//!
//! Each scenario has a network namespace of its own, so the kernel's counters there start at zero
//! and belong to it alone; drives the real `queue-trace`; and ends with the books: what the events
//! add up to, beside what the kernel counted. Traffic stays within that namespace.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "failing is how a test reports"
)]

use std::process::ExitCode;

mod harness;
mod scenarios;

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    // One at a time: each scenario attaches to the whole kernel, and times things.
    arguments.test_threads = Some(1);
    let tests = scenarios::left(arguments.filter.as_deref());
    libtest_mimic::run(&arguments, tests).exit_code()
}
