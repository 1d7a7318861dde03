//! What happened, listener by listener, at the end of a trace.

use std::collections::HashMap;
use std::io::{self, Write};

use queue_trace_common::{Event, Fault, Histogram, Outcome, Tally};

use super::books;
use super::owners;
use super::text::printable;
use super::units::{Time, Within};
use super::verdicts;
use crate::diagnose::Verdict;
use crate::model::{
    Group, Listener, ListenerTimes, Observed, Paid, RETRIES, Snapshot, Times, Totals, Worker,
    groups,
};

/// What there is to tell.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Everything that was counted.
    pub snapshot: &'a Snapshot,
    /// What the records told.
    pub observed: &'a Observed,
    /// The main verdict of each listener, by its number.
    pub verdicts: &'a HashMap<u32, Verdict>,
}

/// Writes the summary of the listeners that are to be shown, losses, and the books.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    facts: &Facts<'_>,
    shown: impl Fn(&Listener) -> bool,
) -> io::Result<()> {
    let mut listeners: Vec<_> =
        facts.snapshot.listeners.iter().filter(|(listener, _)| shown(listener)).collect();
    // The one that refused most stands last, next to the prompt.
    listeners.sort_by_key(|(listener, totals)| (refusals(totals), listener.id));
    for (listener, totals) in &listeners {
        write_listener(out, facts, listener, totals)?;
    }
    write_groups(out, facts.snapshot, &listeners)?;
    write_losses(out, facts.snapshot)?;
    books::write(out, &facts.snapshot.books)
}

fn refusals(totals: &Totals) -> u64 {
    totals.of_event(Event::SynRefused) + totals.of_event(Event::AckRefused)
}

fn write_listener(
    out: &mut impl Write,
    facts: &Facts<'_>,
    listener: &Listener,
    totals: &Totals,
) -> io::Result<()> {
    write_heading(out, facts.snapshot, listener)?;
    if let Some(verdict) = facts.verdicts.get(&listener.id) {
        writeln!(out, "  {:<17} {}", "verdict", verdicts::line(verdict))?;
    }
    for event in Event::ALL {
        let count = totals.of_event(event);
        if count == 0 {
            continue;
        }
        let reasons: Vec<_> = totals
            .by_reason(event)
            .filter_map(|(outcome, count)| Some(format!("{count} {}", outcome.reason()?)))
            .collect();
        let reasons =
            if reasons.is_empty() { String::new() } else { format!("  {}", reasons.join(", ")) };
        writeln!(out, "  {:<17} {count:>10}{reasons}", event.name())?;
    }
    write_workers(out, &facts.snapshot.workers, listener, totals)?;
    write_tallies(out, totals)?;
    write_queues(out, facts, listener, totals)?;
    let none = ListenerTimes::default();
    let times = facts.observed.times(listener.id).unwrap_or(&none);
    write_times(out, "wait", &times.wait, &totals.waits)?;
    write_times(out, "handshake", &times.handshake, &totals.handshakes)?;
    write_paid(out, &facts.observed.paid(listener.id, totals, facts.snapshot))
}

fn write_heading(out: &mut impl Write, snapshot: &Snapshot, listener: &Listener) -> io::Result<()> {
    let owners = owners::label(&listener.owners).unwrap_or_else(|| "owner unknown".to_owned());
    let closed = if listener.closed { ", closed" } else { "" };
    writeln!(
        out,
        "\n{}  {owners}, limit {}, namespace {}{closed}",
        listener.name(),
        listener.limit,
        printable(&snapshot.namespace(listener.netns)),
    )?;
    match (listener.asked, listener.somaxconn) {
        // `listen()` compares as unsigned: -1 asks for the most there is.
        (Some(asked), Some(somaxconn)) if asked > listener.limit => writeln!(
            out,
            "  asked for {}, got {}: net.core.somaxconn was {somaxconn} when listen() was called",
            asked.cast_signed(),
            listener.limit
        ),
        _ => Ok(()),
    }
}

/// Who accepted, if there are several.
fn write_workers(
    out: &mut impl Write,
    workers: &[Worker],
    listener: &Listener,
    totals: &Totals,
) -> io::Result<()> {
    /// What more of them accepted is told in one sum, with what is not known of whom.
    const SHOWN: usize = 8;
    let own = workers.iter().filter(|worker| worker.listener == listener.id).take(SHOWN);
    let told: u64 = own.clone().map(|worker| worker.accepts).sum();
    let rest = totals.of_event(Event::Accept).saturating_sub(told);
    let mut parts: Vec<_> = own
        .map(|worker| format!("{} ({}) {}", printable(&worker.comm), worker.pid, worker.accepts))
        .collect();
    if told > 0 && rest > 0 {
        parts.push(format!("others {rest}"));
    }
    if parts.len() < 2 {
        return Ok(());
    }
    writeln!(out, "  accepted by       {}", parts.join(", "))
}

fn write_tallies(out: &mut impl Write, totals: &Totals) -> io::Result<()> {
    let told = [
        (Tally::CookieChosen, "times a full SYN queue (or tcp_syncookies=2) chose a cookie"),
        (Tally::FastopenCookieRequested, "SYNs asked for a Fast Open cookie"),
        (Tally::FastopenQueueFull, "SYNs found Fast Open's own queue full"),
        (Tally::FastopenFallback, "Fast Open attempts failed and were queued as ordinary SYNs"),
        (Tally::MigratedHere, "requests and connections came over from another listener"),
    ];
    for (tally, what) in told {
        let count = totals.tally(tally);
        if count > 0 {
            writeln!(out, "  {count:>28}  {what}")?;
        }
    }
    Ok(())
}

fn write_queues(
    out: &mut impl Write,
    facts: &Facts<'_>,
    listener: &Listener,
    totals: &Totals,
) -> io::Result<()> {
    writeln!(
        out,
        "  peak depth        accept queue {} of {}, SYN queue {}",
        totals.accept_peak, listener.limit, totals.syn_peak
    )?;
    if totals.accept_full_ns > 0 || totals.syn_full_ns > 0 {
        writeln!(
            out,
            "  time full         accept queue {}, SYN queue {}",
            Time(totals.accept_full_ns),
            Time(totals.syn_full_ns)
        )?;
    }
    match totals.oldest_ns {
        Some(oldest) => writeln!(
            out,
            "  still waiting     {} connections, the first of them for {}",
            totals.waiting,
            Time(facts.snapshot.time_ns.saturating_sub(oldest))
        ),
        None => Ok(()),
    }
}

/// From the records, if all were delivered; else from what the kernel side counted, by powers of two.
fn write_times(
    out: &mut impl Write,
    name: &str,
    times: &Times,
    counted: &Histogram,
) -> io::Result<()> {
    if counted.count() > times.count() {
        let [half, most, nearly_all] = [0.5, 0.9, 0.99].map(|share| Within(counted, share));
        writeln!(out, "  {name:<17} p50 {half}, p90 {most}, p99 {nearly_all}")
    } else if times.count() > 0 {
        let [half, most, nearly_all] = [0.5, 0.9, 0.99].map(|share| Time(times.quantile(share)));
        let max = Time(times.max());
        writeln!(out, "  {name:<17} p50 {half}, p90 {most}, p99 {nearly_all}, max {max}")
    } else {
        Ok(())
    }
}

fn write_paid(out: &mut impl Write, paid: &Paid) -> io::Result<()> {
    if *paid == Paid::default() {
        return Ok(());
    }
    let mut delays = Vec::new();
    if paid.briefly > 0 {
        delays.push(format!("under 0.5 s {}", paid.briefly));
    }
    let counted = RETRIES.iter().zip(paid.delayed).filter(|(_, count)| *count > 0);
    delays.extend(counted.map(|(seconds, count)| format!("{seconds} s {count}")));
    let delays =
        if delays.is_empty() { String::new() } else { format!(": about {}", delays.join(", ")) };
    writeln!(
        out,
        "  refused clients   {} got in late{delays}; {} never got in",
        paid.late(),
        paid.never()
    )?;
    if paid.trying > 0 {
        writeln!(out, "                    {} may still be trying", paid.trying)?;
    }
    if paid.unfollowed > 0 {
        writeln!(out, "                    {} refusals could not be followed", paid.unfollowed)?;
    }
    if paid.unseen_refusals > 0 {
        let unseen = paid.unseen_refusals;
        writeln!(out, "                    {unseen} refusals were left out of the events")?;
    }
    if paid.unseen_entries > 0 {
        let unseen = paid.unseen_entries;
        writeln!(
            out,
            "                    {unseen} of these may have got in, left out of the events"
        )?;
    }
    Ok(())
}

/// Several listeners on one address are a `SO_REUSEPORT` group: their sum, too.
fn write_groups(
    out: &mut impl Write,
    snapshot: &Snapshot,
    listeners: &[&(Listener, Totals)],
) -> io::Result<()> {
    for group in groups(listeners.iter().copied()) {
        let Some(first) = group.members.first() else { continue };
        let (accepted, all_accepted) = terms(&group, |totals| totals.of_event(Event::Accept));
        let (refused, all_refused) = terms(&group, refusals);
        writeln!(
            out,
            "\n{}  group of {} listeners (SO_REUSEPORT), namespace {}: {all_accepted} accepted \
             ({accepted}), {all_refused} refused ({refused})",
            first.listener.name(),
            group.members.len(),
            printable(&snapshot.namespace(first.listener.netns)),
        )?;
        if let Some(imbalance) = group.imbalance {
            let shares: Vec<_> =
                group.members.iter().filter_map(|member| member.accepted).collect();
            let shares: Vec<_> =
                shares.iter().map(|share| format!("{:.1} %", share * 100.0)).collect();
            writeln!(
                out,
                "  accepted {}: imbalance {imbalance:.2} (1 is even, {} is one for all)",
                shares.join(", "),
                group.members.len()
            )?;
        }
        if group.refuses_beside_room {
            writeln!(
                out,
                "  one refuses while another one has room: the kernel chooses by the client's address, not by depth"
            )?;
        }
    }
    Ok(())
}

/// A count of each member, as a sum is written, and the sum.
fn terms(group: &Group<'_>, count: impl Fn(&Totals) -> u64) -> (String, u64) {
    let counts: Vec<_> = group.members.iter().map(|member| count(member.totals)).collect();
    let terms: Vec<_> = counts.iter().map(u64::to_string).collect();
    (terms.join(" + "), counts.iter().sum())
}

fn write_losses(out: &mut impl Write, snapshot: &Snapshot) -> io::Result<()> {
    write_left_out(out, snapshot)?;
    for (fault, count) in &snapshot.faults {
        let what = match fault {
            Fault::SlotsExhausted => {
                "events met a listener for which no slot was left; they are counted under (other \
                 listeners)"
            }
            Fault::WorkersExhausted => {
                "connections were accepted by processes for which no room was left; they are counted at \
                 their listeners only"
            }
        };
        writeln!(out, "\n{count} {what}")?;
    }
    if !snapshot.contradicted.is_empty() {
        writeln!(
            out,
            "\noutcomes disagree with the kernel's own counters, please report this: {}",
            kinds(&snapshot.contradicted)
        )?;
    }
    write_missed(out, snapshot)
}

/// Records that were counted but not streamed.
pub(super) fn write_left_out(out: &mut impl Write, snapshot: &Snapshot) -> io::Result<()> {
    let sum = |list: &[(Outcome, u64)]| list.iter().map(|(_, count)| count).sum::<u64>();
    if !snapshot.thinned.is_empty() {
        writeln!(
            out,
            "\n{} records were thinned, because there were many of their kind and they were not read fast \
             enough; they are not in the events above (the counts are complete): {}",
            sum(&snapshot.thinned),
            kinds(&snapshot.thinned)
        )?;
    }
    if !snapshot.shed.is_empty() {
        writeln!(
            out,
            "\n{} records found no room and are not in the events above (the counts are \
             complete): {}",
            sum(&snapshot.shed),
            kinds(&snapshot.shed)
        )?;
    }
    Ok(())
}

/// How many of which kind, and why: `3 syn_refused accept_queue_full, 1 accept`.
fn kinds(list: &[(Outcome, u64)]) -> String {
    let kind = |(outcome, count): &(Outcome, u64)| {
        let reason = outcome.reason().map_or_else(String::new, |reason| format!(" {reason}"));
        format!("{count} {}{reason}", outcome.event().name())
    };
    list.iter().map(kind).collect::<Vec<_>>().join(", ")
}

/// A skipped call may stand for an event that was not counted.
pub(super) fn write_missed(out: &mut impl Write, snapshot: &Snapshot) -> io::Result<()> {
    if snapshot.missed > 0 {
        writeln!(
            out,
            "\n{} calls of our probes were skipped by the kernel: counts can be too low",
            snapshot.missed
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::QueueEvent;
    use crate::output::{golden, sample};

    #[test]
    fn a_summary_looks_as_agreed() {
        let mut observed = Observed::default();
        for event in sample::events() {
            observed.take(1, &QueueEvent { duration_ns: None, ..event });
            // As many waits, all different.
            let (outcome, duration_ns) = (Outcome::Accepted, Some(event.time_ns));
            observed.take(1, &QueueEvent { outcome, client: None, duration_ns, ..event });
        }
        let snapshot = sample::snapshot();
        let verdicts = HashMap::from([(1, sample::verdict())]);
        let facts = Facts { snapshot: &snapshot, observed: &observed, verdicts: &verdicts };
        let mut out = Vec::new();
        write(&mut out, &facts, |_| true).unwrap();
        golden::check("output/summary.txt", &out);
    }
}
