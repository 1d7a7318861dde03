//! `queue-trace doctor`: what this kernel offers, whether the books balance, what is wrong with the listeners.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use queue_trace_common::Outcome;

use super::ending::Ending;
use super::verdicts::{Gathered, judge};
use crate::diagnose::Severity;
use crate::kernel::attach::{Settings, Took};
use crate::kernel::hooks::{At, Hook};
use crate::model::{
    Addresses, Balance, Listener, Means, Observed, QueueEvent, Scheduled, Snapshot,
};
use crate::output::doctor::{self, Examination};
use crate::source::{Census, Live, Start, monotonic_ns};

/// Arguments of `queue-trace doctor`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace doctor
  sudo queue-trace doctor --duration 1m --format json | jq '.listeners[] | select(.severity != \"fine\")'
  sudo queue-trace doctor --fail-on critical || page-somebody

Attaches, watches for a while, compares with the kernel's own counters, and judges each listener. Ctrl-C ends
the watch early. Exit status 1 means that the books do not balance, that a verdict is as bad as --fail-on says,
or a failure; standard error says which.")]
pub struct DoctorArgs {
    #[cfg(feature = "record")]
    /// Judge by this recording, all of it, instead of watching
    #[arg(long, value_name = "FILE", conflicts_with_all = ["duration", "attach", "btf"])]
    pub input: Option<std::path::PathBuf>,
    /// How long to watch, for example 500ms, 10s or 2m
    #[arg(long, value_parser = super::trace::duration, default_value = "5s")]
    pub duration: Duration,
    /// A report for people, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Exit with status 1 when a listener's verdict is as bad as this, or worse
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Only count, for benchmarks: nothing is streamed, so verdicts know nothing of single clients, and the scheduler
    /// is not asked
    #[arg(long, hide = true)]
    pub only_count: bool,
    /// Leave this kernel function or tracepoint out, as if the kernel had refused it
    #[arg(long, value_name = "NAME", hide = true)]
    pub without_hook: Vec<String>,
    /// How to attach.
    #[command(flatten)]
    pub attach: super::attach::AttachArgs,
}

/// How to show what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Paragraphs.
    #[default]
    Text,
    #[cfg(feature = "json")]
    /// One JSON object.
    Json,
}

/// From which severity on a script wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Clients are delayed, or will be.
    Warning,
    /// Clients are refused and it goes on.
    Critical,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Warning => Self::Warning,
            FailOn::Critical => Self::Critical,
        }
    }
}

/// Examines this kernel and its listeners.
///
/// # Errors
///
/// One line for the user; also when the books do not balance, and when a verdict is as bad as was asked for.
pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    #[cfg(feature = "record")]
    if let Some(file) = &args.input {
        return recorded(args, file);
    }
    super::block_on(examine(args))
}

async fn examine(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut ending = Ending::by_signals()?;
    let (mut live, start) = Live::start(&settings(args))?;
    let (began_ns, before) = (monotonic_ns(), Census::take(false));
    let (mut observed, mut addresses) = (Observed::default(), Addresses::default());
    let end = Ending::after(args.duration);
    let mut take = |listener: &Listener, event: &QueueEvent| {
        observed.take(listener.id, event);
        addresses.observe(listener.id, event);
        true
    };
    loop {
        tokio::select! {
            biased;
            () = ending.reached(end) => break,
            result = live.events(&mut take) => result?,
        }
    }
    // Before the last events: what happens between them and the counters is in these alone.
    live.refresh_owners(Duration::ZERO)?;
    live.rest(take);
    let seen = Seen {
        began_ns,
        before,
        snapshot: live.snapshot()?,
        scheduler: start.scheduler.clone(),
        scheduled: live.scheduled(),
        census: Census::take(false),
        observed,
        addresses,
    };
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    report(args, release, means(&start), seen)
}

/// All that was seen.
struct Seen {
    began_ns: u64,
    before: Census,
    snapshot: Snapshot,
    scheduler: Option<Result<(), String>>,
    scheduled: HashMap<u32, Scheduled>,
    census: Census,
    observed: Observed,
    addresses: Addresses,
}

/// Judges, writes the report, and fails if something is as bad as that.
fn report(args: &DoctorArgs, release: String, means: Means, seen: Seen) -> anyhow::Result<()> {
    let Seen { began_ns, before, mut snapshot, scheduler, scheduled, census, observed, addresses } =
        seen;
    // What stands for several listeners cannot be judged.
    snapshot.listeners.retain(|(listener, _)| listener.id != 0);
    let events = snapshot.listeners.iter().filter(|(_, totals)| !totals.is_empty()).count();
    census.complete(&mut snapshot.listeners);
    let verdicts = judge(&Gathered {
        began_ns,
        before: &before,
        snapshot: &snapshot,
        census: &census,
        observed: &observed,
        scheduled,
        addresses: Some(&addresses),
    });
    let examination = Examination {
        release,
        means,
        snapshot: &snapshot,
        scheduler,
        events,
        watched: Duration::from_nanos(snapshot.time_ns.saturating_sub(began_ns)),
        census: &census,
        verdicts,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Text => doctor::write(&mut out, &examination)?,
        #[cfg(feature = "json")]
        Format::Json => doctor::json::write(&mut out, &examination)?,
    }
    out.flush()?;
    conclude(args, &examination)
}

/// What the verdicts rest on is streamed: who was refused, and got in after all. Everything else is counted.
fn settings(args: &DoctorArgs) -> Settings {
    let stream = if args.only_count { 0 } else { Outcome::mask(super::verdicts::need) };
    let without = args.without_hook.clone();
    Settings { stream, scheduler: !args.only_count, without, ..args.attach.settings() }
}

fn conclude(args: &DoctorArgs, found: &Examination<'_>) -> anyhow::Result<()> {
    let even = found.snapshot.books.iter().all(Balance::even);
    anyhow::ensure!(even, "the books do not balance: see above which counter and by how much");
    let bad =
        |limit: Severity| found.verdicts.iter().filter(move |v| v.severity() >= limit).count();
    if let Some(limit) = args.fail_on.map(Severity::from)
        && bad(limit) > 0
    {
        anyhow::bail!("{} listeners with a verdict of {} or worse", bad(limit), limit.name());
    }
    Ok(())
}

/// Judges by a recording, all of it.
#[cfg(feature = "record")]
fn recorded(args: &DoctorArgs, file: &std::path::Path) -> anyhow::Result<()> {
    let mut recording = crate::source::Recording::open(file)?;
    let header = recording.header().clone();
    super::replay::announce(&header);
    let (mut observed, mut addresses) = (Observed::default(), Addresses::default());
    while recording.advance(|listener, event| {
        observed.take(listener.id, event);
        addresses.observe(listener.id, event);
        true
    })? {}
    let (before, census) = recording.surroundings();
    let seen = Seen {
        began_ns: header.start_ns,
        before,
        snapshot: recording.snapshot(),
        scheduler: None,
        scheduled: HashMap::new(),
        census,
        observed,
        addresses,
    };
    super::replay::told(&recording)?;
    report(args, header.kernel, header.means, seen)
}

/// How the kernel is watched.
pub(super) fn means(start: &Start) -> Means {
    let plan = &start.plan;
    let hook = |hook: &Hook| (hook.function.to_owned(), hook.at == At::Return);
    let Took { types, load, attach } = start.took;
    Means {
        tier: plan.tier.name().to_owned(),
        hooks: plan.hooks.iter().map(hook).collect(),
        refusal: plan.refusal.clone(),
        refused: plan.refused.clone(),
        syn_by_mib: plan.syn_by_mib,
        ack_by_mib: plan.ack_by_mib,
        took: [types, load, attach],
        listeners: start.listeners,
        losses: plan.losses.clone(),
        uncounted: plan.uncounted.iter().map(|counter| (*counter).to_owned()).collect(),
        privileges: privileges(),
        notes: start.notes.clone(),
    }
}

/// What is lost for want of privileges.
#[cfg(feature = "serve")]
fn privileges() -> Vec<String> {
    crate::daemon::privileges::missing().iter().map(ToString::to_string).collect()
}

/// Only the daemon is to run with few of them.
#[cfg(not(feature = "serve"))]
fn privileges() -> Vec<String> {
    Vec::new()
}
