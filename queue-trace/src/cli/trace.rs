//! `queue-trace trace`: events as they happen, a summary at the end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use queue_trace_common::{Event, Outcome};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};

use crate::kernel::attach::Settings;
use crate::model::{Clients, Listener, Observed, QueueEvent};
use crate::output::clock::Clock;
use crate::output::summary::Facts;
use crate::output::{AT_ONCE, json, status, summary, text};
use crate::source::{Live, Start, Status};

/// Arguments of `queue-trace trace`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace trace --port 443 --event syn_refused --event ack_refused
  sudo queue-trace trace --duration 10s --format json | jq -r .reason | sort | uniq -c

The summary goes to standard error when standard output is not a terminal. The counts in it are exact
even when events come faster than they can be written. Ctrl-C ends the trace.")]
pub struct TraceArgs {
    /// Lines for people, or one JSON object a line and event
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Show only events of listeners on this port; may be given several times
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Show only this kind of event; may be given several times
    #[arg(long, value_parser = event_parser(), value_name = "EVENT")]
    pub event: Vec<Event>,
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
    /// Compare each outcome with the kernel's own counters as it happens (slower)
    #[arg(long)]
    pub verify: bool,
    /// Leave this program out, as if the kernel had refused it
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub without_hook: Vec<String>,
    /// How to attach.
    #[command(flatten)]
    pub attach: super::attach::AttachArgs,
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

fn event_parser() -> impl clap::builder::TypedValueParser<Value = Event> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Event::ALL.map(Event::name)).map(|name| {
        // The parser lets only names of the list pass.
        Event::ALL.into_iter().find(|event| event.name() == name).unwrap_or(Event::SynRefused)
    })
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(trace(args))
}

async fn trace(args: &TraceArgs) -> anyhow::Result<()> {
    // Before attaching, so that a signal from now on ends the trace with its summary.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut live, start) = Live::start(&settings(args))?;
    announce(&start);
    let mut view = View::new(args);
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
            _ = status.tick() => view.status(&live.status()?)?,
            result = live.events(|listener, event| view.take(listener, event)) => {
                result?;
                view.flush()?;
            }
        }
        if view.done() {
            break;
        }
    }
    live.rest(|listener, event| view.take(listener, event));
    view.flush()?;
    view.finish(&mut live)
}

fn settings(args: &TraceArgs) -> Settings {
    // What clients paid is told whatever is shown.
    let wanted = |outcome: &&Outcome| streams(args, **outcome) || Clients::needs(**outcome);
    let stream = Outcome::ALL.iter().filter(wanted).fold(0, |bits, o| bits | 1 << *o as u64);
    Settings {
        stream,
        ports: args.port.clone(),
        verify: args.verify,
        without: args.without_hook.clone(),
        ..args.attach.settings()
    }
}

/// Whether events of this kind are to be shown.
fn shows(args: &TraceArgs, event: Event) -> bool {
    args.event.is_empty() || args.event.contains(&event)
}

/// Whether the kernel side is to stream this outcome for its own sake. A server that polls with a
/// non-blocking `accept()` gets EAGAIN all the time, which nobody wants to see who has not asked.
fn streams(args: &TraceArgs, outcome: Outcome) -> bool {
    shows(args, outcome.event()) && (outcome != Outcome::AcceptEagain || !args.event.is_empty())
}

/// Says on standard error what is watched and what cannot be.
fn announce(start: &Start) {
    let mut err = io::stderr().lock();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(
        err,
        "queue-trace: tracing {} listeners by {} hooks ({}); Ctrl-C ends",
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
struct View<'a> {
    args: &'a TraceArgs,
    clock: Clock,
    /// Lines that are not written yet.
    lines: Vec<u8>,
    observed: Observed,
    shown: u64,
    failed: Option<io::Error>,
}

impl<'a> View<'a> {
    fn new(args: &'a TraceArgs) -> Self {
        Self {
            args,
            clock: Clock::new(crate::source::monotonic_ns(), Timestamp::now(), args.relative),
            lines: Vec::with_capacity(2 * AT_ONCE),
            observed: Observed::default(),
            shown: 0,
            failed: None,
        }
    }

    /// Shows one event; whether more are wanted.
    fn take(&mut self, listener: &Listener, event: &QueueEvent) -> bool {
        if self.done() {
            return false;
        }
        // More ports than the kernel side takes are filtered here.
        if !self.wants(listener) {
            return true;
        }
        self.observed.take(listener.id, event);
        if !shows(self.args, event.event()) {
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

    /// Shows how the queues fared.
    fn status(&mut self, all: &[Status]) -> anyhow::Result<()> {
        let wanted: Vec<_> = all.iter().filter(|one| self.wants(&one.listener)).cloned().collect();
        let now = crate::source::monotonic_ns();
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

    fn wants(&self, listener: &Listener) -> bool {
        self.args.port.is_empty() || self.args.port.contains(&listener.port)
    }

    fn done(&self) -> bool {
        self.failed.is_some() || self.args.count.is_some_and(|count| self.shown >= count)
    }

    /// Lets go of what was written, so that a line is seen when it happens.
    fn flush(&mut self) -> anyhow::Result<()> {
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

    fn finish(mut self, live: &mut Live) -> anyhow::Result<()> {
        let snapshot = live.snapshot()?;
        let mut summary = Vec::new();
        let facts = Facts {
            snapshot: &snapshot,
            observed: &self.observed,
            now_ns: crate::source::monotonic_ns(),
        };
        summary::write(&mut summary, &facts, |listener| self.wants(listener))?;
        self.tell(&summary)
    }
}
