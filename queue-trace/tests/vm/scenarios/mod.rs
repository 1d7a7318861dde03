//! One file for each scenario. Each is a test for IPv4 and one for IPv6.

use std::io::Write;
use std::time::Instant;

use libtest_mimic::Trial;

use crate::harness::family::Family;
use crate::harness::namespace;

mod accept_wait;
mod before_start;
mod command_line;
mod data_after_refusal;
mod degradation;
mod expiry;
mod final_acks;
mod flood;
mod full_queue;
mod half_open_ends;
mod listen_again;
mod ordinary;
mod random;
mod reset_on_overflow;
mod under_load;
mod vanished_namespace;

/// A scenario that is run for each version of IP.
type ForFamily = fn(Family);

/// All tests. The filter is what the names of those to run contain.
pub(crate) fn all(filter: Option<&str>) -> Vec<Trial> {
    let both: &[(&str, ForFamily)] = &[
        ("full_queue", full_queue::run),
        ("reset_on_overflow", reset_on_overflow::run),
        ("final_acks", final_acks::run),
        ("flood", flood::run),
        ("under_load", under_load::run),
        ("data_after_refusal", data_after_refusal::run),
        ("accept_wait", accept_wait::run),
        ("before_start", before_start::run),
        ("expiry", expiry::run),
        ("ordinary", ordinary::run),
        ("listen_again", listen_again::run),
        ("half_open_ends", half_open_ends::run),
    ];
    let single: &[(&str, fn())] = &[
        ("ordinary::dual_stack", ordinary::dual_stack),
        ("vanished_namespace", vanished_namespace::run),
        ("degradation", degradation::run),
        ("command_line::wrong_usage", command_line::wrong_usage),
        ("command_line::not_root", command_line::not_root),
        ("command_line::no_capability", command_line::no_capability),
        ("command_line::no_btf", command_line::no_btf),
        ("command_line::closed_output", command_line::closed_output),
        ("command_line::filters_and_count", command_line::filters_and_count),
    ];
    let mut tests = Vec::new();
    for (name, run) in both {
        for (version, family) in [("v4", Family::V4), ("v6", Family::V6)] {
            tests.push(test(format!("{name}::{version}"), move || run(family)));
        }
    }
    tests.extend(random::tests(filter));
    tests.extend(single.iter().map(|(name, run)| test((*name).to_owned(), run)));
    tests
}

/// A test in a network namespace of its own.
fn test(name: String, run: impl FnOnce() + Send + 'static) -> Trial {
    let namespace = name.replace("::", "-");
    Trial::test(name, move || {
        let start = Instant::now();
        namespace::within_fresh(&namespace, run);
        // Into the log: where the time goes. In one piece, for the log has two writers.
        let line = format!("{namespace}: {:.1} s\n", start.elapsed().as_secs_f64());
        std::io::stderr().write_all(line.as_bytes())?;
        Ok(())
    })
}
