//! `queue-trace what-if`: which backlog would have been enough.

use std::io::{self, Write};
use std::time::Duration;

use queue_trace_common::Outcome;
use tokio::time::interval;

use super::ending::Ending;
use crate::kernel::attach::Settings;
use crate::model::{Listener, QueueEvent, Snapshot};
use crate::output::what_if;
use crate::source::{Live, monotonic_ns};
use crate::whatif::{Courses, answer};

/// Arguments of `queue-trace what-if`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace what-if --port 443 --duration 1m
  queue-trace what-if --input incident.qtrace

Watches arrivals and accepts, then tells for each listener how deep its accept queue would have been without a
limit, how many clients other backlogs would have refused and how long the others would have waited, and what a
faster server would have made of it. One client is one arrival, at its first try. Ctrl-C ends the watch early.")]
pub struct WhatIfArgs {
    #[cfg(feature = "record")]
    /// Compute with this recording, all of it, instead of watching
    #[arg(long, value_name = "FILE", conflicts_with_all = ["duration", "attach", "btf"])]
    pub input: Option<std::path::PathBuf>,
    /// How long to watch, for example 500ms, 10s or 2m
    #[arg(long, value_parser = super::trace::duration, default_value = "10s")]
    pub duration: Duration,
    /// Look only at listeners on this port; may be given several times
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// How to attach.
    #[command(flatten)]
    pub attach: super::attach::AttachArgs,
}

/// Watches, and answers.
///
/// # Errors
///
/// One line for the user.
pub fn run(args: &WhatIfArgs) -> anyhow::Result<()> {
    #[cfg(feature = "record")]
    if let Some(file) = &args.input {
        return recorded(args, file);
    }
    super::block_on(watch(args))
}

async fn watch(args: &WhatIfArgs) -> anyhow::Result<()> {
    let mut ending = Ending::by_signals()?;
    let (mut live, _) = Live::start(&settings(args))?;
    let began_ns = monotonic_ns();
    let end = Ending::after(args.duration);
    let mut tidy = interval(Duration::from_secs(10));
    let mut courses = Courses::default();
    let mut take = |listener: &Listener, event: &QueueEvent| {
        courses.observe(listener.id, event);
        true
    };
    loop {
        tokio::select! {
            biased;
            () = ending.reached(end) => break,
            _ = tidy.tick() => live.tidy()?,
            result = live.events(&mut take) => result?,
        }
    }
    live.rest(take);
    tell(args, began_ns, &live.snapshot()?, &courses)
}

/// Answers from a recording.
#[cfg(feature = "record")]
fn recorded(args: &WhatIfArgs, file: &std::path::Path) -> anyhow::Result<()> {
    let mut recording = crate::source::Recording::open(file)?;
    super::replay::announce(recording.header());
    let began_ns = recording.start()?;
    let mut courses = Courses::default();
    while recording.advance(|listener, event| {
        courses.observe(listener.id, event);
        true
    })? {}
    tell(args, began_ns, &recording.snapshot(), &courses)?;
    super::replay::told(&recording)
}

/// Writes the answers.
fn tell(
    args: &WhatIfArgs,
    began_ns: u64,
    snapshot: &Snapshot,
    courses: &Courses,
) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let wanted = |port| args.port.is_empty() || args.port.contains(&port);
    let mut answered = 0;
    for (listener, _) in snapshot.listeners.iter().filter(|(l, _)| l.id != 0 && wanted(l.port)) {
        if let Some(course) = courses.of(listener.id) {
            let answer = answer(&course, snapshot.time_ns);
            let watched_ns = snapshot.time_ns.saturating_sub(began_ns);
            what_if::write(&mut out, listener, &course, &answer, watched_ns)?;
            answered += 1;
        }
    }
    if answered == 0 {
        writeln!(
            out,
            "nothing came and nothing was accepted, so there is nothing to compute with"
        )?;
    }
    out.flush()?;
    tell_losses(snapshot);
    Ok(())
}

fn settings(args: &WhatIfArgs) -> Settings {
    let stream = Outcome::mask(Courses::needs);
    Settings { stream, ports: args.port.clone(), ..args.attach.settings() }
}

/// An answer from some of the events only has to be known as one.
fn tell_losses(snapshot: &Snapshot) {
    let shed: u64 = snapshot.shed.iter().chain(&snapshot.thinned).map(|(_, count)| count).sum();
    if shed > 0 {
        let _ = writeln!(
            io::stderr(),
            "queue-trace: {shed} events were left out and are not in the answer: watch one --port, or for less long"
        );
    }
}
