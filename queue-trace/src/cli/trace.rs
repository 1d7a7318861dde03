//! `queue-trace trace`: events as they happen, a summary at the end.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};

use super::capture::{CaptureArgs, FilterArgs};
use super::verdicts::{Gathered, judge};
use crate::model::{Listener, Observed, QueueEvent, Snapshot};
use crate::output::clock::Clock;
use crate::output::summary::Facts;
use crate::output::{AT_ONCE, json, status, summary, text};
use crate::source::{Census, Live, Start, Status, monotonic_ns};

/// Arguments of `queue-trace trace`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace trace --port 443 --event syn_refused --event ack_refused
  sudo queue-trace trace --duration 10s --format json | jq -r .reason | sort | uniq -c

The summary goes to standard error when standard output is not a terminal. The counts in it are exact
even when events come faster than they can be written. Ctrl-C ends the trace.")]
pub struct TraceArgs {
    #[cfg(feature = "record")]
    /// Show what was recorded in this file, instead of what happens now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workers", "verify", "without_hook", "attach", "btf"])]
    pub input: Option<std::path::PathBuf>,
    /// What to show, and how.
    #[command(flatten)]
    pub view: ViewArgs,
    /// How to take events.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// What to show of events, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct ViewArgs {
    /// Lines for people, or one JSON object a line and event
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// End after this time, for example 500ms, 10s or 2m
    #[arg(long, value_parser = duration)]
    pub duration: Option<Duration>,
    /// End after this many events
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Each time this has passed, show how the queues fared since; for example 10s
    #[arg(long, value_parser = duration, value_name = "INTERVAL")]
    pub status: Option<Duration>,
    /// Show times as seconds since the start
    #[arg(long)]
    pub relative: bool,
}

/// How to show the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned lines.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A time such as 500ms, 10s or 2m.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let hint = "not a time: write for example 500ms, 10s or 2m";
    let duration: SignedDuration = text.parse().map_err(|_| hint.to_owned())?;
    let duration = Duration::try_from(duration).map_err(|_| "a time cannot be negative")?;
    if duration.is_zero() { Err(hint.to_owned()) } else { Ok(duration) }
}

/// Traces until the time or the count is reached, a signal comes, or nobody reads any more.
///
/// # Errors
///
/// One line for the user.
pub fn run(args: &TraceArgs) -> anyhow::Result<()> {
    #[cfg(feature = "record")]
    if let Some(file) = &args.input {
        return super::replay::replay(file, &args.view);
    }
    super::block_on(trace(args))
}

async fn trace(args: &TraceArgs) -> anyhow::Result<()> {
    // Before attaching, so that a signal from now on ends the trace with its summary.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut live, start) = Live::start(&args.view.filter.settings(&args.capture))?;
    announce("tracing", &start);
    let args = &args.view;
    let mut view = View::new(args, monotonic_ns(), Timestamp::now());
    let end = args.duration.map(|duration| Instant::now() + duration);
    // A day is as good as never; the loop asks again.
    let far = Duration::from_secs(86_400);
    let mut tidy = interval(Duration::from_secs(10));
    tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every = args.status.unwrap_or(far);
    let mut status = interval_at(Instant::now() + every, every);
    status.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(end.unwrap_or_else(|| Instant::now() + far)), if end.is_some() => break,
            _ = tidy.tick() => live.tidy()?,
            _ = status.tick() => view.status(&live.status()?, monotonic_ns())?,
            result = live.events(|listener, event| view.take(listener, event)) => {
                result?;
                view.flush()?;
            }
        }
        if view.done() {
            break;
        }
    }
    // Before the last events: what happens between them and the counters is in these alone.
    live.refresh_owners(Duration::ZERO)?;
    live.rest(|listener, event| view.take(listener, event));
    view.flush()?;
    view.finish(&live.snapshot()?, &Census::take(false))
}

/// Says on standard error what is watched and what cannot be.
pub(super) fn announce(doing: &str, start: &Start) {
    let mut err = io::stderr().lock();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(
        err,
        "queue-trace: {doing} {} listeners by {} hooks ({}); Ctrl-C ends",
        start.listeners,
        start.plan.hooks.len(),
        start.plan.tier.name()
    );
    if let Some(refusal) = &start.plan.refusal {
        let _ = writeln!(err, "queue-trace: by kprobes, because fentry fails here: {refusal}");
    }
    for loss in &start.plan.losses {
        let _ = writeln!(err, "queue-trace: not visible on this kernel: {loss}");
    }
    if !start.plan.uncounted.is_empty() {
        let counters = start.plan.uncounted.join(", ");
        let _ = writeln!(err, "queue-trace: so these are not in the books: {counters}");
    }
    for note in &start.notes {
        let _ = writeln!(err, "queue-trace: {note}");
    }
}

/// Shows events and gathers what they tell.
pub(super) struct View<'a> {
    args: &'a ViewArgs,
    clock: Clock,
    /// Lines that are not written yet.
    lines: Vec<u8>,
    observed: Observed,
    began_ns: u64,
    shown: u64,
    failed: Option<io::Error>,
}

impl<'a> View<'a> {
    /// Begins at this time of the monotonic clock and of the wall clock.
    pub(super) fn new(args: &'a ViewArgs, began_ns: u64, wall: Timestamp) -> Self {
        Self {
            args,
            clock: Clock::new(began_ns, wall, args.relative),
            lines: Vec::with_capacity(2 * AT_ONCE),
            observed: Observed::default(),
            began_ns,
            shown: 0,
            failed: None,
        }
    }

    /// Shows one event; whether more are wanted.
    pub(super) fn take(&mut self, listener: &Listener, event: &QueueEvent) -> bool {
        if self.done() {
            return false;
        }
        // More ports than the kernel side takes are filtered here.
        if !self.args.filter.wants(listener) {
            return true;
        }
        self.observed.take(listener.id, event);
        if !self.args.filter.shows(event.event()) {
            return true;
        }
        let Self { lines, clock, .. } = self;
        match self.args.format {
            Format::Text => text::write(lines, clock, listener, event),
            Format::Json => json::write(lines, clock, listener, event),
        }
        if self.lines.len() >= AT_ONCE {
            self.failed = self.write().err();
        }
        self.shown += 1;
        !self.done()
    }

    /// Shows how the queues fared up to this time of the monotonic clock.
    pub(super) fn status(&mut self, all: &[Status], now: u64) -> anyhow::Result<()> {
        let wanted: Vec<_> =
            all.iter().filter(|one| self.args.filter.wants(&one.listener)).cloned().collect();
        let mut lines = Vec::new();
        status::write(&mut lines, &mut self.clock, now, &wanted)?;
        self.tell(&lines)
    }

    /// On standard output only to people who look at it: programs read the events there.
    fn tell(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        if io::stdout().is_terminal() {
            self.lines.extend_from_slice(lines);
            return self.flush();
        }
        // Standard error may be closed while the events were wanted.
        let _ = io::stderr().write_all(lines);
        Ok(())
    }

    /// Whether nothing more is to be shown.
    pub(super) fn done(&self) -> bool {
        self.failed.is_some() || self.args.count.is_some_and(|count| self.shown >= count)
    }

    /// Lets go of what was written, so that a line is seen when it happens.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error).context("cannot write events");
        }
        self.write().context("cannot write events")
    }

    fn write(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let written = out.write_all(&self.lines).and_then(|()| out.flush());
        self.lines.clear();
        written
    }

    /// Shows what was left out of the events, and the summary.
    pub(super) fn finish(mut self, snapshot: &Snapshot, census: &Census) -> anyhow::Result<()> {
        if self.args.format == Format::Json {
            json::write_left_out(&mut self.lines, &mut self.clock, snapshot);
            self.flush()?;
        }
        let verdicts = judge(&Gathered {
            began_ns: self.began_ns,
            before: &Census::default(),
            snapshot,
            census,
            observed: &self.observed,
            scheduled: HashMap::new(),
            addresses: None,
        });
        let id = |place: usize| snapshot.listeners.get(place).map(|(listener, _)| listener.id);
        // What stands for several listeners cannot be judged.
        let main = verdicts.into_iter().filter_map(|one| Some((id(one.listener)?, one.main)));
        let verdicts = main.filter(|(listener, _)| *listener != 0).collect();
        let mut summary = Vec::new();
        let facts = Facts { snapshot, observed: &self.observed, verdicts: &verdicts };
        summary::write(&mut summary, &facts, |listener| self.args.filter.wants(listener))?;
        self.tell(&summary)
    }
}
