//! What `queue-trace doctor` found.

#[cfg(feature = "json")]
pub mod json;

use std::io::{self, Write};
use std::time::Duration;

use super::units::Time;
use super::{books, verdicts};
use crate::diagnose::{Diagnosis, explain};
use crate::model::{Means, Snapshot, Totals};
use crate::procfs::Sysctls;
use crate::source::Census;

/// What was found.
#[derive(Debug)]
pub struct Examination<'a> {
    /// The running kernel's release.
    pub release: String,
    /// How it was watched.
    pub means: Means,
    /// What was counted; at some listeners nothing.
    pub snapshot: &'a Snapshot,
    /// Whether the scheduler told what the processes did, or why not; nothing where it was not asked.
    pub scheduler: Option<Result<(), String>>,
    /// At how many listeners something happened.
    pub events: usize,
    /// For how long.
    pub watched: Duration,
    /// What is to be seen around the listeners.
    pub census: &'a Census,
    /// What is said of the listeners, the worst first.
    pub verdicts: Vec<Diagnosis>,
}

impl Examination<'_> {
    /// The settings of our own namespace.
    fn sysctls(&self) -> Sysctls {
        self.census.own_netns().map_or_else(Sysctls::default, |own| self.census.settings_of(own))
    }
}

/// Writes it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, found: &Examination<'_>) -> io::Result<()> {
    let means = &found.means;
    writeln!(
        out,
        "kernel {}: {} hooks attached ({})",
        found.release,
        means.hooks.len(),
        means.tier
    )?;
    let [types, load, attach] = means.took.map(time);
    writeln!(out, "read the kernel's types in {types}, loaded in {load}, attached in {attach}")?;
    if let Some(refusal) = &means.refusal {
        writeln!(out, "by kprobes, because fentry fails here: {refusal}")?;
    }
    for (function, returns) in &means.hooks {
        writeln!(out, "  {:<7} {function}", at(*returns))?;
    }
    if means.syn_by_mib {
        writeln!(out, "  a full SYN queue is told by this CPU's TCPReqQFullDrop")?;
    }
    if means.ack_by_mib {
        writeln!(out, "  a refused final ACK is told by this CPU's ListenOverflows")?;
    }
    match &found.scheduler {
        Some(Ok(())) => {
            writeln!(out, "  what processes do is told by sched_switch and sched_wakeup")?;
        }
        Some(Err(reason)) => writeln!(out, "  what processes do is told by /proc alone: {reason}")?,
        None => {}
    }
    for reason in &means.refused {
        writeln!(out, "  {reason}")?;
    }
    match means.losses.as_slice() {
        [] => writeln!(out, "nothing is hidden on this kernel")?,
        losses => losses.iter().try_for_each(|loss| writeln!(out, "not visible: {loss}"))?,
    }
    if !means.uncounted.is_empty() {
        writeln!(out, "so these are not in the books: {}", means.uncounted.join(", "))?;
    }
    for line in means.privileges.iter().chain(&means.notes) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nsettings of this network namespace")?;
    for (name, value) in found.sysctls().entries() {
        let value = value.map_or_else(|| "not there".to_owned(), |value| value.to_string());
        writeln!(out, "  {name:<22} {value}")?;
    }
    write_watch(out, found)
}

/// Where a function is hooked.
fn at(returns: bool) -> &'static str {
    if returns { "return" } else { "entry" }
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
        found.events,
        found.means.listeners
    )?;
    if sum.is_empty() {
        writeln!(out, "  nothing happened at any listener, so there is nothing to compare")?;
    }
    books::write(out, &found.snapshot.books)?;
    for (fault, count) in &found.snapshot.faults {
        writeln!(out, "  {fault:?}: {count}")?;
    }
    super::summary::write_left_out(out, found.snapshot)?;
    super::summary::write_missed(out, found.snapshot)?;
    let listener = |place: usize| found.snapshot.listeners.get(place).map(|(listener, _)| listener);
    verdicts::write(out, &found.verdicts, listener, |listener| {
        explain(listener, &found.census.settings_of(listener.netns))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::diagnose::{Rule, Severity, Verdict};
    use crate::model::{Process, Snapshot};
    use crate::netlink::SynQueues;
    use crate::output::{golden, sample};
    use crate::procfs::Namespace;
    use crate::source::Contents;

    fn means() -> Means {
        Means {
            tier: "fentry".to_owned(),
            hooks: vec![("tcp_conn_request".to_owned(), false), ("tcp_check_req".to_owned(), true)],
            took: [2, 30, 40].map(Duration::from_millis),
            listeners: 3,
            losses: vec!["accept() that returns an error".to_owned()],
            uncounted: vec!["TCPMigrateReqFailure".to_owned()],
            notes: vec!["namespace 7: hidden".to_owned()],
            ..Means::default()
        }
    }

    fn shown(write: impl Fn(&mut Vec<u8>, &Examination<'_>) -> io::Result<()>) -> Vec<u8> {
        let mut calm = sample::listener();
        (calm.id, calm.port, calm.asked) = (3, 8081, None);
        calm.owners.push(Process { pid: 43, comm: "ng\x1binx".into(), ..Process::default() });
        let mut snapshot: Snapshot = sample::snapshot();
        snapshot.listeners.push((calm, Totals::default()));
        let sysctls = Sysctls { somaxconn: Some(4096), ..Sysctls::default() };
        let plain = |rule, severity, story: &str| Verdict {
            rule,
            severity,
            story: story.to_owned(),
            evidence: Vec::new(),
            change: Vec::new(),
            avoid: "",
        };
        let waited = plain(Rule::SlowTimers, Severity::Warning, "4 connections came in late");
        let fine = plain(Rule::Healthy, Severity::Fine, "nothing is wrong");
        let contents = Contents {
            namespace: Namespace::elsewhere(4_026_531_840, None),
            own: true,
            listeners: Vec::new(),
            syn_queues: SynQueues::default(),
            devices: HashMap::new(),
            sysctls,
        };
        let census = Census { namespaces: vec![contents], ..Census::default() };
        let examination = Examination {
            release: "6.12.0".to_owned(),
            means: means(),
            snapshot: &snapshot,
            scheduler: Some(Ok(())),
            events: 2,
            watched: Duration::from_secs(5),
            census: &census,
            verdicts: vec![
                Diagnosis { listener: 0, main: sample::verdict(), remarks: vec![waited] },
                Diagnosis { listener: 2, main: fine, remarks: Vec::new() },
            ],
        };
        let mut out = Vec::new();
        write(&mut out, &examination).unwrap();
        out
    }

    #[test]
    fn a_report_looks_as_agreed() {
        golden::check("output/doctor.txt", &shown(write));
    }

    #[cfg(feature = "json")]
    #[test]
    fn the_json_has_its_fields() {
        let line = shown(json::write);
        // One field a line, for whoever compares.
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        golden::check(
            "output/doctor.json",
            (serde_json::to_string_pretty(&value).unwrap() + "\n").as_bytes(),
        );
    }
}
