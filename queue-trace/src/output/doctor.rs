//! What `queue-trace doctor` found.

use std::io::{self, Write};
use std::time::Duration;

use super::books;
use super::units::Time;
use crate::kernel::attach::Took;
use crate::kernel::hooks::At;
use crate::model::Totals;
use crate::procfs::Sysctls;
use crate::source::{Snapshot, Start};

/// What was found.
#[derive(Debug)]
pub struct Examination<'a> {
    /// The running kernel's release.
    pub release: String,
    /// What could be attached.
    pub start: &'a Start,
    /// The settings of our own namespace.
    pub sysctls: Sysctls,
    /// What was counted.
    pub snapshot: &'a Snapshot,
    /// For how long.
    pub watched: Duration,
}

/// Writes it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, found: &Examination<'_>) -> io::Result<()> {
    let plan = &found.start.plan;
    writeln!(
        out,
        "kernel {}: {} hooks attached ({})",
        found.release,
        plan.hooks.len(),
        plan.tier.name()
    )?;
    let Took { types, load, attach } = found.start.took;
    let [types, load, attach] = [types, load, attach].map(time);
    writeln!(out, "read the kernel's types in {types}, loaded in {load}, attached in {attach}")?;
    if let Some(refusal) = &plan.refusal {
        writeln!(out, "by kprobes, because fentry fails here: {refusal}")?;
    }
    for hook in &plan.hooks {
        let at = match hook.at {
            At::Entry => "entry",
            At::Return => "return",
        };
        writeln!(out, "  {:<7} {}", at, hook.function)?;
    }
    if plan.syn_by_mib {
        writeln!(out, "  a full SYN queue is told by this CPU's TCPReqQFullDrop")?;
    }
    if plan.ack_by_mib {
        writeln!(out, "  a refused final ACK is told by this CPU's ListenOverflows")?;
    }
    for reason in &plan.refused {
        writeln!(out, "  {reason}")?;
    }
    match plan.losses.as_slice() {
        [] => writeln!(out, "nothing is hidden on this kernel")?,
        losses => losses.iter().try_for_each(|loss| writeln!(out, "not visible: {loss}"))?,
    }
    if !plan.uncounted.is_empty() {
        writeln!(out, "so these are not in the books: {}", plan.uncounted.join(", "))?;
    }
    for note in &found.start.notes {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "\nsettings of this network namespace")?;
    for (name, value) in found.sysctls.entries() {
        let value = value.map_or_else(|| "not there".to_owned(), |value| value.to_string());
        writeln!(out, "  {name:<22} {value}")?;
    }
    write_watch(out, found)
}

fn time(duration: Duration) -> Time {
    Time(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn write_watch(out: &mut impl Write, found: &Examination<'_>) -> io::Result<()> {
    let mut sum = Totals::default();
    found.snapshot.listeners.iter().for_each(|(_, totals)| sum.add(totals));
    writeln!(
        out,
        "\nwatched for {}: {} listeners with events, {} there before",
        time(found.watched),
        found.snapshot.listeners.len(),
        found.start.listeners
    )?;
    if sum.is_empty() {
        writeln!(out, "  nothing happened at any listener, so there is nothing to compare")?;
    }
    books::write(out, &found.snapshot.books)?;
    for (fault, count) in &found.snapshot.faults {
        writeln!(out, "  {fault:?}: {count}")?;
    }
    super::summary::write_missed(out, found.snapshot)
}
