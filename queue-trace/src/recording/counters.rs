//! Counters: the totals of listeners, and the rest of a snapshot.

use queue_trace_common::{Fault, Histogram, Outcome};

use super::listeners::{owner, process};
use super::names::Numbers;
use super::wire;
use crate::model::{
    Balance, Line, NamespaceCounters, NamespaceName, ProgramCost, Snapshot, Totals, Worker,
};

/// The message of a snapshot without its listeners.
pub(super) fn message(snapshot: &Snapshot) -> wire::Snapshot {
    // Whatever is added to snapshots is to be recorded.
    let Snapshot {
        time_ns,
        tier: _, // In the header.
        listeners: _,
        workers,
        namespaces: _, // Only if they changed.
        shed,
        thinned,
        contradicted,
        faults,
        missed,
        programs,
        books,
        counters,
        folded,
    } = snapshot;
    wire::Snapshot {
        time_ns: *time_ns,
        order: None,
        totals: Vec::new(),
        shed_counts: outcomes(shed),
        contradicted_counts: outcomes(contradicted),
        fault_counts: faults.iter().flat_map(|(fault, n)| [*fault as u64, *n]).collect(),
        missed: *missed,
        books: books.iter().map(balance).collect(),
        workers: workers.iter().map(worker).collect(),
        programs: programs.iter().map(program).collect(),
        thinned_counts: outcomes(thinned),
        namespaces: None,
        counters: counters.iter().map(kernel_counters).collect(),
        folded: *folded,
    }
}

fn outcomes(counts: &[(Outcome, u64)]) -> Vec<u64> {
    counts.iter().flat_map(|(outcome, count)| [*outcome as u64, *count]).collect()
}

fn balance(Balance { netns, lines }: &Balance) -> wire::Balance {
    let line = |line: &Line| {
        let Line { counter, kernel, ours } = *line;
        wire::Line { counter: counter.to_owned(), kernel, ours }
    };
    wire::Balance { netns: *netns, lines: lines.iter().map(line).collect() }
}

fn worker(Worker { listener, pid, comm, accepts }: &Worker) -> wire::Worker {
    wire::Worker { listener: *listener, pid: *pid, comm: comm.clone(), accepts: *accepts }
}

fn program(ProgramCost { program, run_ns, runs }: &ProgramCost) -> wire::Program {
    wire::Program { program: program.clone(), run_ns: *run_ns, runs: *runs }
}

/// The message of the namespaces of a snapshot.
pub(super) fn namespaces(snapshot: &Snapshot) -> wire::Namespaces {
    wire::Namespaces { namespaces: snapshot.namespaces.iter().map(namespace).collect() }
}

fn namespace(name: &NamespaceName) -> wire::Namespace {
    let NamespaceName { inode, name, own, resident } = name;
    let resident = resident.as_ref().map(process);
    wire::Namespace { inode: *inode, name: name.clone(), own: *own, resident }
}

fn kernel_counters(NamespaceCounters { netns, counters }: &NamespaceCounters) -> wire::Counters {
    let counter =
        |(name, raised): &(&str, u64)| wire::Counter { name: (*name).to_owned(), raised: *raised };
    wire::Counters { netns: *netns, counters: counters.iter().map(counter).collect() }
}

/// The message of the totals of the listener with this number.
pub(super) fn totals(listener: u32, totals: &Totals) -> wire::Totals {
    let Totals {
        outcomes,
        tallies,
        waits,
        handshakes,
        accept_full_ns,
        syn_full_ns,
        oldest_ns,
        waiting,
        half_open,
        drops,
        accept_peak,
        syn_peak,
        recent_accept_peak,
        recent_syn_peak,
    } = totals;
    wire::Totals {
        listener,
        outcome_counts: sparse(outcomes),
        tally_counts: sparse(tallies),
        waits: times(waits),
        handshakes: times(handshakes),
        accept_full_ns: *accept_full_ns,
        syn_full_ns: *syn_full_ns,
        oldest_ns: *oldest_ns,
        waiting: *waiting,
        half_open: *half_open,
        drops: *drops,
        accept_peak: *accept_peak,
        syn_peak: *syn_peak,
        recent_accept_peak: *recent_accept_peak,
        recent_syn_peak: *recent_syn_peak,
    }
}

/// Number and count, by turns, of those that are not zero.
fn sparse(counts: &[u64]) -> Vec<u64> {
    let there = counts.iter().zip(0..).filter(|(count, _)| **count > 0);
    there.flat_map(|(count, number)| [number, *count]).collect()
}

fn times(histogram: &Histogram) -> Option<wire::Times> {
    let times = wire::Times { bucket_counts: sparse(&histogram.buckets), sum_ns: histogram.sum_ns };
    (*histogram != Histogram::default()).then_some(times)
}

/// Numbers and counts.
fn pairs(counts: &[u64]) -> impl Iterator<Item = (u64, u64)> + '_ {
    let (pairs, _) = counts.as_chunks();
    pairs.iter().map(|[number, count]| (*number, *count))
}

/// The totals of a message. `unknown` is raised by what this program has no place for.
pub(super) fn read_totals(message: &wire::Totals, numbers: &Numbers, unknown: &mut u64) -> Totals {
    let mut totals = Totals {
        waits: histogram(message.waits.as_ref()),
        handshakes: histogram(message.handshakes.as_ref()),
        accept_full_ns: message.accept_full_ns,
        syn_full_ns: message.syn_full_ns,
        oldest_ns: message.oldest_ns,
        waiting: message.waiting,
        half_open: message.half_open,
        drops: message.drops,
        accept_peak: message.accept_peak,
        syn_peak: message.syn_peak,
        recent_accept_peak: message.recent_accept_peak,
        recent_syn_peak: message.recent_syn_peak,
        ..Totals::default()
    };
    for (number, count) in pairs(&message.outcome_counts) {
        match numbers.outcome(number) {
            Some(outcome) => totals.outcomes[outcome as usize] = count,
            None => *unknown += 1,
        }
    }
    for (number, count) in pairs(&message.tally_counts) {
        match numbers.tally(number) {
            Some(tally) => totals.tallies[tally as usize] = count,
            None => *unknown += 1,
        }
    }
    totals
}

fn histogram(message: Option<&wire::Times>) -> Histogram {
    let mut histogram = Histogram::default();
    let Some(message) = message else { return histogram };
    histogram.sum_ns = message.sum_ns;
    for (bucket, count) in pairs(&message.bucket_counts) {
        // The last one has all that took longer.
        let last = histogram.buckets.len() - 1;
        let bucket = usize::try_from(bucket).unwrap_or(last).min(last);
        histogram.buckets[bucket] = histogram.buckets[bucket].wrapping_add(count);
    }
    histogram
}

/// The snapshot of a message without its listeners, nor the namespaces if it has none.
pub(super) fn read(
    message: &wire::Snapshot,
    numbers: &Numbers,
    tier: &str,
    unknown: &mut u64,
) -> Snapshot {
    let mut known = |counts: &[u64]| -> Vec<(Outcome, u64)> {
        let of = |(number, count)| Some((numbers.outcome(number)?, count));
        let known: Vec<_> = pairs(counts).filter_map(of).collect();
        *unknown += (counts.len() / 2 - known.len()) as u64;
        known
    };
    let (shed, thinned) = (known(&message.shed_counts), known(&message.thinned_counts));
    let contradicted = known(&message.contradicted_counts);
    let of_fault =
        |(number, count)| -> Option<(Fault, u64)> { Some((numbers.fault(number)?, count)) };
    let faults: Vec<_> = pairs(&message.fault_counts).filter_map(of_fault).collect();
    *unknown += (message.fault_counts.len() / 2 - faults.len()) as u64;
    Snapshot {
        time_ns: message.time_ns,
        tier: TIERS.into_iter().find(|known| *known == tier).unwrap_or_default(),
        listeners: Vec::new(),
        workers: message.workers.iter().cloned().map(read_worker).collect(),
        namespaces: message.namespaces.iter().cloned().flat_map(read_namespaces).collect(),
        shed,
        thinned,
        contradicted,
        faults,
        missed: message.missed,
        programs: message.programs.iter().cloned().map(read_program).collect(),
        books: message.books.iter().map(|message| read_balance(message, unknown)).collect(),
        counters: message.counters.iter().map(|one| read_counters(one, unknown)).collect(),
        folded: message.folded,
    }
}

/// The names of the means by which one can look.
const TIERS: [&str; 3] = ["fentry", "kprobe", "poll"];

fn read_balance(message: &wire::Balance, unknown: &mut u64) -> Balance {
    let mut balance = Balance::gone(message.netns);
    for wire::Line { counter, kernel, ours } in &message.lines {
        match Balance::counter(counter) {
            Some(counter) => {
                balance.lines.push(Line { counter, kernel: *kernel, ours: *ours });
            }
            None => *unknown += 1,
        }
    }
    balance
}

fn read_worker(wire::Worker { listener, pid, comm, accepts }: wire::Worker) -> Worker {
    Worker { listener, pid, comm, accepts }
}

fn read_namespaces(message: wire::Namespaces) -> impl Iterator<Item = NamespaceName> {
    message.namespaces.into_iter().map(|wire::Namespace { inode, name, own, resident }| {
        NamespaceName { inode, name, own, resident: resident.map(owner) }
    })
}

fn read_counters(message: &wire::Counters, unknown: &mut u64) -> NamespaceCounters {
    let known = |counter: &wire::Counter| Some((Balance::counter(&counter.name)?, counter.raised));
    let counters: Vec<_> = message.counters.iter().filter_map(known).collect();
    *unknown += (message.counters.len() - counters.len()) as u64;
    NamespaceCounters { netns: message.netns, counters }
}

fn read_program(wire::Program { program, run_ns, runs }: wire::Program) -> ProgramCost {
    ProgramCost { program, run_ns, runs }
}
