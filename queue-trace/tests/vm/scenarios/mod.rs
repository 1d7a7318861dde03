//! One file for each scenario. Each is a test for IPv4 and one for IPv6.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::Instant;

use libtest_mimic::{Failed, Trial};

use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::stage::{self, Findings, Play};

mod abandoned;
mod accept_errors;
mod accept_wait;
mod backlogs;
mod before_start;
mod blocked_acceptors;
mod bound;
mod closing;
mod command_line;
mod concurrency;
mod cookies;
mod data_after_refusal;
mod degradation;
mod denied;
mod doctor;
mod dual_stack;
mod expiry;
mod failed_attempts;
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
mod no_memory;
mod no_route;
mod not_unicast;
mod ordinary;
mod owners;
mod pinned;
mod prediction;
mod privileges;
mod proven_peer;
mod random;
mod recorded;
mod refused_clients;
mod report;
mod reset_on_overflow;
mod reuseport_group;
mod same_segment;
mod segments;
mod serve;
mod thinned;
mod top;
mod unanswered;
mod under_load;
mod vanished_namespace;
mod verdicts;
mod views;
mod what_if;

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
    ("mptcp::unknown_join", mptcp::unknown_join),
    ("proven_peer", proven_peer::run),
    ("unanswered", unanswered::run),
    ("ordinary", ordinary::run),
];

/// Races of two processors; with one there is nothing to see, and no test.
const ON_TWO_PROCESSORS: &[(&str, ForFamily)] =
    &[("same_segment", same_segment::run), ("closing", closing::run)];

/// Those that share another one: what is denied is denied in every namespace.
const DENIED: &[(&str, ForFamily)] = &[("denied", denied::run)];

/// Those that start a queue-trace of their own: in their namespace, late, with other arguments, or without memory. What
/// they are about is not the version of IP: one is for those by fentry, the other for kprobes.
const IN_TURN: &[(&str, ForFamily)] = &[
    ("ordinary::inside", ordinary::inside),
    ("accept_wait", accept_wait::run),
    ("accept_wait::counted", accept_wait::counted),
    ("before_start", before_start::run),
    ("blocked_acceptors", blocked_acceptors::run),
    ("thinned", thinned::run),
    ("thinned::shed", thinned::shed),
    // Memory is everybody's: whoever else is told of something needs some.
    ("no_memory", no_memory::run),
    ("failed_attempts", failed_attempts::run),
    ("failed_attempts::mptcp", failed_attempts::mptcp),
];

/// Likewise, whatever the version of IP.
const ALONE: &[(&str, fn())] = &[
    ("accept_errors::asked_for", accept_errors::asked_for),
    ("degradation", degradation::run),
    ("left_behind", left_behind::run),
    ("pinned", pinned::run),
    ("privileges", privileges::run),
    ("command_line::wrong_usage", command_line::wrong_usage),
    ("command_line::not_root", command_line::not_root),
    ("command_line::no_capability", command_line::no_capability),
    ("command_line::no_btf", command_line::no_btf),
    ("command_line::closed_output", command_line::closed_output),
];

/// What depends on the kernel, but not on how queue-trace attaches to it: by fentry only.
const BY_FENTRY: &[(&str, fn())] = &[
    ("vanished_namespace", vanished_namespace::run),
    ("namespaces", namespaces::run),
    ("owners", owners::run),
    ("doctor", doctor::run),
    ("gauges::since_last", gauges::since_last),
    ("verdicts::accepting", verdicts::accepting),
    ("verdicts::causes", verdicts::causes),
    ("verdicts::handshakes", verdicts::handshakes),
];

/// What is made of events and counters, wherever these come from: by fentry, and not on all kernels.
const VIEWS: &[(&str, fn())] = &[
    ("command_line::filters_and_count", command_line::filters_and_count),
    ("top", top::run),
    ("recorded", || recorded::run(Family::V6)),
    ("recorded::killed", recorded::killed),
    ("recorded::full_disk", recorded::full_disk),
    ("recorded::views", views::run),
    ("report", report::run),
    ("serve", || serve::run(Family::V4)),
    ("serve::many", serve::many),
    ("what_if", what_if::run),
    ("what_if::prediction", prediction::run),
];

/// What part is wanted: `books` is the scenarios that share a queue-trace, `kernel` all that depends on the kernel.
const PART_VARIABLE: &str = "QUEUE_TRACE_TEST_PART";

/// So many tests, the first ones, have been done: by a guest that died.
const DONE_VARIABLE: &str = "QUEUE_TRACE_TEST_DONE";

/// All tests that are left. The filter is what the names of those to run contain.
pub(crate) fn left(filter: Option<&str>) -> Vec<Trial> {
    let done = std::env::var(DONE_VARIABLE).ok().and_then(|done| done.parse().ok()).unwrap_or(0);
    let wanted = |test: &Trial| filter.is_none_or(|filter| test.name().contains(filter));
    all(filter).into_iter().filter(wanted).skip(done).collect()
}

fn all(filter: Option<&str>) -> Vec<Trial> {
    let wanted = |(name, _): &Play| filter.is_none_or(|filter| name.contains(filter));
    let mut together: Vec<_> = TOGETHER.iter().flat_map(for_families).collect();
    if available_parallelism().is_ok_and(|processors| processors.get() > 1) {
        together.extend(ON_TWO_PROCESSORS.iter().flat_map(for_families));
    }
    together.push(("ordinary::dual_stack".into(), Box::new(ordinary::dual_stack)));
    together.push(("dual_stack".into(), Box::new(dual_stack::run)));
    together.retain(wanted);
    let mut tests = shared(together);
    let part = std::env::var(PART_VARIABLE).unwrap_or_default();
    if part == "books" {
        return tests;
    }
    tests.extend(random::tests(filter));
    tests.extend(shared(DENIED.iter().flat_map(for_families).filter(wanted).collect()));
    let by_kprobes = program::by_kprobes();
    let in_turn = |scenario| for_families(scenario).into_iter().nth(usize::from(by_kprobes));
    tests.extend(IN_TURN.iter().filter_map(in_turn).map(|(name, run)| test(name, run)));
    let by_fentry = BY_FENTRY.iter().filter(|_| !by_kprobes);
    let views = VIEWS.iter().filter(|_| !by_kprobes && part != "kernel");
    let alone = ALONE.iter().chain(by_fentry).chain(views);
    tests.extend(alone.map(|(name, run)| test((*name).to_owned(), run)));
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
