//! What happened, listener by listener, at the end of a trace.

use std::collections::HashMap;
use std::io::{self, Write};

use queue_trace_common::{Event, Fault, Histogram, Tally};

use super::books;
use super::text::printable;
use super::units::{Time, Within};
use crate::model::{Listener, ListenerTimes, Observed, Paid, RETRIES, Times, Totals};
use crate::source::Snapshot;

/// What there is to tell.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Everything that was counted.
    pub snapshot: &'a Snapshot,
    /// What the records told.
    pub observed: &'a Observed,
    /// Now, on the monotonic clock.
    pub now_ns: u64,
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
    write_groups(out, &listeners)?;
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
    write_heading(out, listener)?;
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
    write_tallies(out, totals)?;
    write_queues(out, facts, listener, totals)?;
    let none = ListenerTimes::default();
    let times = facts.observed.times(listener.id).unwrap_or(&none);
    write_times(out, "wait", &times.wait, &totals.waits)?;
    write_times(out, "handshake", &times.handshake, &totals.handshakes)?;
    write_paid(out, &facts.observed.clients().paid(listener.id, facts.now_ns))
}

fn write_heading(out: &mut impl Write, listener: &Listener) -> io::Result<()> {
    let owners: Vec<_> =
        listener.owners.iter().map(|p| format!("{} ({})", printable(&p.comm), p.pid)).collect();
    let owners = if owners.is_empty() { "owner unknown".to_owned() } else { owners.join(", ") };
    let closed = if listener.closed { ", closed" } else { "" };
    writeln!(
        out,
        "\n{}  {owners}, limit {}, namespace {}{closed}",
        listener.name(),
        listener.limit,
        listener.netns,
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
            Time(facts.now_ns.saturating_sub(oldest))
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
    Ok(())
}

/// Several listeners on one address are a `SO_REUSEPORT` group: their sum, too.
fn write_groups(out: &mut impl Write, listeners: &[&(Listener, Totals)]) -> io::Result<()> {
    let mut groups: HashMap<_, Vec<&(Listener, Totals)>> = HashMap::new();
    for member in listeners.iter().filter(|(listener, _)| listener.id != 0 && !listener.closed) {
        let listener = &member.0;
        let key = (listener.netns, listener.address, listener.port, listener.device);
        groups.entry(key).or_default().push(member);
    }
    let mut groups: Vec<_> = groups.into_values().filter(|members| members.len() > 1).collect();
    groups.sort_by_key(|members| members.first().map(|(listener, _)| listener.id));
    for members in groups {
        let mut sum = Totals::default();
        members.iter().for_each(|(_, totals)| sum.add(totals));
        let first = members.first().map(|(listener, _)| (listener.name(), listener.netns));
        let (name, netns) = first.unwrap_or_default();
        let refused: Vec<_> =
            members.iter().map(|(_, totals)| refusals(totals).to_string()).collect();
        let accepted: Vec<_> =
            members.iter().map(|(_, totals)| totals.of_event(Event::Accept).to_string()).collect();
        writeln!(
            out,
            "\n{name}  group of {} listeners (SO_REUSEPORT), namespace {netns}: {} accepted ({}), {} \
             refused ({})",
            members.len(),
            sum.of_event(Event::Accept),
            accepted.join(" + "),
            refusals(&sum),
            refused.join(" + "),
        )?;
    }
    Ok(())
}

fn write_losses(out: &mut impl Write, snapshot: &Snapshot) -> io::Result<()> {
    let shed: u64 = snapshot.shed.iter().map(|(_, count)| count).sum();
    if shed > 0 {
        let kinds: Vec<_> = snapshot
            .shed
            .iter()
            .map(|(outcome, count)| format!("{count} {}", outcome.event().name()))
            .collect();
        writeln!(
            out,
            "\n{shed} records found no room and are not in the events above (the counts are \
             complete): {}",
            kinds.join(", ")
        )?;
    }
    for (fault, count) in &snapshot.faults {
        let what = match fault {
            Fault::SlotsExhausted => {
                "events met a listener for which no slot was left; they are counted under (other \
                 listeners)"
            }
        };
        writeln!(out, "\n{count} {what}")?;
    }
    if !snapshot.contradicted.is_empty() {
        let kinds: Vec<_> = snapshot
            .contradicted
            .iter()
            .map(|(outcome, count)| {
                let reason =
                    outcome.reason().map_or_else(String::new, |reason| format!(" {reason}"));
                format!("{count} {}{reason}", outcome.event().name())
            })
            .collect();
        writeln!(
            out,
            "\noutcomes disagree with the kernel's own counters, please report this: {}",
            kinds.join(", ")
        )?;
    }
    write_missed(out, snapshot)
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
    use queue_trace_common::Outcome;

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
        let facts = Facts { snapshot: &snapshot, observed: &observed, now_ns: 12_000_000_000 };
        let mut out = Vec::new();
        write(&mut out, &facts, |_| true).unwrap();
        golden::check("output/summary.txt", &out);
    }
}
