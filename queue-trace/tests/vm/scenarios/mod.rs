//! One file for each scenario. Each is a test for IPv4 and one for IPv6.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use libtest_mimic::{Failed, Trial};

use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::stage::{self, Findings, Play};

mod abandoned;
mod accept_errors;
mod accept_wait;
mod backlogs;
mod before_start;
mod blocked_acceptors;
mod bound;
mod command_line;
mod concurrency;
mod cookies;
mod data_after_refusal;
mod degradation;
mod doctor;
mod dual_stack;
mod expiry;
mod fastopen;
mod final_acks;
mod flood;
mod full_queue;
mod gauges;
mod half_open_ends;
mod left_behind;
mod listen_again;
mod migration;
mod mptcp;
mod namespaces;
mod no_route;
mod not_unicast;
mod ordinary;
mod proven_peer;
mod random;
mod refused_clients;
mod reset_on_overflow;
mod reuseport_group;
mod segments;
mod under_load;
mod vanished_namespace;

/// A scenario that is run for each version of IP.
type ForFamily = fn(Family);

/// Those that share one queue-trace.
const TOGETHER: &[(&str, ForFamily)] = &[
    ("full_queue", full_queue::run),
    ("reset_on_overflow", reset_on_overflow::run),
    ("final_acks", final_acks::run),
    ("flood", flood::run),
    ("under_load", under_load::run),
    ("data_after_refusal", data_after_refusal::run),
    ("expiry", expiry::run),
    ("listen_again", listen_again::run),
    ("half_open_ends", half_open_ends::run),
    ("segments", segments::run),
    ("no_route", no_route::run),
    ("fastopen", fastopen::run),
    ("not_unicast", not_unicast::run),
    ("backlogs", backlogs::run),
    ("abandoned", abandoned::run),
    ("gauges", gauges::run),
    ("cookies", cookies::run),
    ("migration", migration::run),
    ("reuseport_group", reuseport_group::run),
    ("accept_errors", accept_errors::run),
    ("refused_clients", refused_clients::run),
    ("concurrency", concurrency::run),
    ("bound", bound::run),
    ("mptcp", mptcp::run),
    ("proven_peer", proven_peer::run),
    ("ordinary", ordinary::run),
];

/// Those that start a queue-trace of their own: in their namespace, late, or with other arguments.
const ALONE: &[(&str, ForFamily)] = &[
    ("ordinary::inside", ordinary::inside),
    ("accept_wait", accept_wait::run),
    ("accept_wait::counted", accept_wait::counted),
    ("before_start", before_start::run),
    ("blocked_acceptors", blocked_acceptors::run),
];

const ALONE_ONCE: &[(&str, fn())] = &[
    ("accept_errors::asked_for", accept_errors::asked_for),
    ("vanished_namespace", vanished_namespace::run),
    ("doctor", doctor::run),
    ("gauges::since_last", gauges::since_last),
    ("degradation", degradation::run),
    ("left_behind", left_behind::run),
    ("namespaces", namespaces::run),
    ("command_line::wrong_usage", command_line::wrong_usage),
    ("command_line::not_root", command_line::not_root),
    ("command_line::no_capability", command_line::no_capability),
    ("command_line::no_btf", command_line::no_btf),
    ("command_line::closed_output", command_line::closed_output),
    ("command_line::filters_and_count", command_line::filters_and_count),
];

/// All tests. The filter is what the names of those to run contain.
pub(crate) fn all(filter: Option<&str>) -> Vec<Trial> {
    let mut together: Vec<_> = TOGETHER.iter().flat_map(for_families).collect();
    together.push(("ordinary::dual_stack".into(), Box::new(ordinary::dual_stack)));
    together.push(("dual_stack".into(), Box::new(dual_stack::run)));
    together.retain(|(name, _)| filter.is_none_or(|filter| name.contains(filter)));
    let mut tests = shared(together);
    tests.extend(random::tests(filter));
    tests.extend(ALONE.iter().flat_map(for_families).map(|(name, run)| test(name, run)));
    tests.extend(ALONE_ONCE.iter().map(|(name, run)| test((*name).to_owned(), run)));
    tests
}

fn for_families((name, run): &'static (&str, ForFamily)) -> [Play; 2] {
    [("v4", Family::V4), ("v6", Family::V6)]
        .map(|(version, family)| (format!("{name}::{version}"), Box::new(move || run(family)) as _))
}

/// Tests of scenarios that share one queue-trace: the first that is run plays them all.
fn shared(plays: Vec<Play>) -> Vec<Trial> {
    let names: Vec<_> = plays.iter().map(|(name, _)| name.clone()).collect();
    let played = Arc::new((plays, OnceLock::<Findings>::new()));
    let test = |name: String| {
        let played = Arc::clone(&played);
        Trial::test(name.clone(), move || {
            let (plays, findings) = &*played;
            findings.get_or_init(|| stage::play(plays))[&name].clone().map_err(Failed::from)
        })
    };
    names.into_iter().map(test).collect()
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
