//! What happened, listener by listener, at the end of a trace.

use std::collections::HashMap;
use std::io::{self, Write};

use queue_trace_common::{Event, Fault};

use super::text::printable;
use super::units::Time;
use crate::model::{Balance, Listener, Times, Totals};
use crate::source::Snapshot;

/// Times of one listener, from the records that were delivered.
#[derive(Debug, Default, Clone)]
pub struct ListenerTimes {
    /// Waits in the accept queue.
    pub wait: Times,
    /// Handshakes.
    pub handshake: Times,
}

/// Writes the summary.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    snapshot: &Snapshot,
    times: &HashMap<u32, ListenerTimes>,
    shown: impl Fn(&Listener) -> bool,
) -> io::Result<()> {
    let mut listeners: Vec<_> =
        snapshot.listeners.iter().filter(|(listener, _)| shown(listener)).collect();
    // The one that refused most stands last, next to the prompt.
    listeners.sort_by_key(|(listener, totals)| (refusals(totals), listener.id));
    let none = ListenerTimes::default();
    for (listener, totals) in listeners {
        write_listener(out, listener, totals, times.get(&listener.id).unwrap_or(&none))?;
    }
    write_losses(out, snapshot)?;
    snapshot.books.iter().try_for_each(|balance| write_books(out, balance))
}

fn refusals(totals: &Totals) -> u64 {
    totals.of_event(Event::SynRefused) + totals.of_event(Event::AckRefused)
}

fn write_listener(
    out: &mut impl Write,
    listener: &Listener,
    totals: &Totals,
    times: &ListenerTimes,
) -> io::Result<()> {
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
    writeln!(
        out,
        "  peak depth        accept queue {} of {}, SYN queue {}",
        totals.accept_peak, listener.limit, totals.syn_peak
    )?;
    write_times(out, "wait", &times.wait, totals.of_event(Event::Accept))?;
    write_times(out, "handshake", &times.handshake, totals.of_event(Event::Established))
}

fn write_times(out: &mut impl Write, name: &str, times: &Times, of: u64) -> io::Result<()> {
    if times.count() == 0 {
        return Ok(());
    }
    write!(
        out,
        "  {name:<17} p50 {}, p90 {}, p99 {}, max {}",
        Time(times.quantile(0.5)),
        Time(times.quantile(0.9)),
        Time(times.quantile(0.99)),
        Time(times.max()),
    )?;
    if times.count() < of {
        write!(out, " (of {} of {of})", times.count())?;
    }
    writeln!(out)
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
            Fault::StampsFull => "connections could not be timed: too many were waiting",
            Fault::Mismatch => {
                "outcomes disagree with the kernel's own counters: please report this"
            }
        };
        writeln!(out, "\n{count} {what}")?;
    }
    Ok(())
}

fn write_books(out: &mut impl Write, balance: &Balance) -> io::Result<()> {
    if balance.lines.iter().all(|line| line.kernel == 0 && line.ours == 0) {
        return Ok(());
    }
    let verdict = if balance.even() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
    writeln!(out, "\nnamespace {}: {verdict}", balance.netns)?;
    for line in balance.lines.iter().filter(|line| line.kernel != 0 || line.ours != 0) {
        writeln!(
            out,
            "  {:<20} kernel {:>10}  listeners {:>10}  difference {}",
            line.counter,
            line.kernel,
            line.ours,
            line.difference()
        )?;
    }
    Ok(())
}
