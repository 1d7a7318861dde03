//! `queue-trace report`: what happened, in one HTML file.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use queue_trace_common::Outcome;
use tokio::time::{MissedTickBehavior, interval};

use super::attach::AttachArgs;
use super::capture::FilterArgs;
use super::ending::Ending;
use super::record::header;
use super::replay::told;
use super::verdicts::{Gathered, judge};
use crate::kernel::attach::Settings;
use crate::model::{Addresses, Listener, Observed, QueueEvent, Snapshot, Trails, Victims};
use crate::output::report::{Facts, page};
use crate::recording::Header;
use crate::source::{Census, Live, Recording};
use crate::whatif::Courses;

/// How long is watched where nothing else is said.
const WATCH: Duration = Duration::from_secs(30);
/// How often counters are read, as in recordings.
const EVERY: Duration = Duration::from_secs(1);

/// Arguments of `queue-trace report`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace report --duration 30s -o incident.html
  queue-trace report --input incident.qtrace -o incident.html

The file needs no network, no scripts and nothing beside it. Ctrl-C ends the watch early.")]
pub struct ReportArgs {
    /// Report what was recorded, instead of what happens now
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// How long to watch, for example 500ms, 10s or 2m; of a recording, how much of it [default: 30s, all of it]
    #[arg(long, value_parser = super::trace::duration)]
    pub duration: Option<Duration>,
    /// The file to write, - for standard output; one that is there is replaced
    #[arg(short, long, value_name = "FILE", default_value = "queue-trace.html")]
    pub output: PathBuf,
    /// Report only listeners on this port; may be given several times
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// How to attach.
    #[command(flatten)]
    pub attach: AttachArgs,
}

/// Watches or reads, and reports.
///
/// # Errors
///
/// One line for the user; also when a recording is damaged, after what could be read of it was reported.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.input {
        return from_recording(args, file);
    }
    super::block_on(from_live(args))
}

async fn from_live(args: &ReportArgs) -> anyhow::Result<()> {
    let mut ending = Ending::by_signals()?;
    let (mut live, start) = Live::start(&settings(args))?;
    let filter = FilterArgs { port: args.port.clone(), event: Vec::new() };
    let header = header(&start, &filter);
    let before = Census::take(false);
    let mut seen = Seen::new(header.start_ns, filter);
    let duration = args.duration.unwrap_or(WATCH);
    let end = Ending::after(duration);
    let mut tidy = interval(Duration::from_secs(10));
    let mut second = interval(EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = ending.reached(end) => break,
            _ = tidy.tick() => live.tidy()?,
            _ = second.tick() => {
                live.rest(|listener, event| seen.take(listener, event));
                seen.trails.note(&live.snapshot()?);
                live.next_period();
            }
            result = live.events(|listener, event| seen.take(listener, event)) => result?,
        }
    }
    // Before the last events: what happens between them and the counters is in these alone.
    live.refresh_owners(Duration::ZERO)?;
    live.rest(|listener, event| seen.take(listener, event));
    let snapshot = live.snapshot()?;
    seen.trails.note(&snapshot);
    let around = Around { header: &header, before: &before, census: &Census::take(false) };
    write(args, &seen, snapshot, &around)
}

/// Everything that decides over a queue is streamed.
fn settings(args: &ReportArgs) -> Settings {
    // A server that polls gets EAGAIN all the time.
    let stream = Outcome::mask(|outcome| outcome != Outcome::AcceptEagain);
    Settings { stream, ports: args.port.clone(), ..args.attach.settings() }
}

fn from_recording(args: &ReportArgs, file: &Path) -> anyhow::Result<()> {
    let mut recording = Recording::open(file)?;
    let header = recording.header().clone();
    let filter = FilterArgs { port: args.port.clone(), event: Vec::new() };
    let begin_ns = recording.start()?;
    let mut seen = Seen::new(begin_ns, filter);
    if header.part > 0 {
        seen.trails.note(&recording.snapshot());
    }
    let end_ns =
        args.duration.map_or(u64::MAX, |time| begin_ns.saturating_add(time.as_nanos() as u64));
    while recording.time_ns() <= end_ns
        && recording
            .advance(|listener, event| event.time_ns > end_ns || seen.take(listener, event))?
    {
        seen.trails.note(&recording.snapshot());
    }
    let (before, census) = recording.surroundings();
    let around = Around { header: &header, before: &before, census: &census };
    write(args, &seen, recording.snapshot(), &around)?;
    told(&recording)
}

/// What the records and the counters told.
struct Seen {
    begin_ns: u64,
    filter: FilterArgs,
    observed: Observed,
    addresses: Addresses,
    trails: Trails,
    victims: Victims,
    courses: Courses,
}

impl Seen {
    fn new(begin_ns: u64, filter: FilterArgs) -> Self {
        Self {
            begin_ns,
            filter,
            observed: Observed::default(),
            addresses: Addresses::default(),
            trails: Trails::new(begin_ns),
            victims: Victims::default(),
            courses: Courses::default(),
        }
    }

    fn take(&mut self, listener: &Listener, event: &QueueEvent) -> bool {
        if self.filter.wants(listener) {
            let delay_ns = self.observed.take(listener.id, event);
            self.addresses.observe(listener.id, event);
            self.trails.observe(listener.id, event);
            self.victims.observe(listener.id, event, delay_ns);
            self.courses.observe(listener.id, event);
        }
        true
    }
}

/// What was to be seen around.
struct Around<'a> {
    header: &'a Header,
    before: &'a Census,
    census: &'a Census,
}

fn write(
    args: &ReportArgs,
    seen: &Seen,
    mut snapshot: Snapshot,
    around: &Around<'_>,
) -> anyhow::Result<()> {
    // What stands for several listeners cannot be judged.
    snapshot.listeners.retain(|(listener, _)| listener.id != 0);
    around.census.complete(&mut snapshot.listeners);
    snapshot.listeners.retain(|(listener, _)| seen.filter.wants(listener));
    let verdicts = judge(&Gathered {
        began_ns: seen.begin_ns,
        before: around.before,
        snapshot: &snapshot,
        census: around.census,
        observed: &seen.observed,
        scheduled: HashMap::new(),
        addresses: Some(&seen.addresses),
    });
    let recording = args.input.as_ref().map(|file| file.display().to_string());
    let page = page(&Facts {
        header: around.header,
        recording: recording.as_deref(),
        begin_ns: seen.begin_ns,
        snapshot: &snapshot,
        census: around.census,
        verdicts: &verdicts,
        observed: &seen.observed,
        trails: &seen.trails,
        victims: &seen.victims,
        courses: &seen.courses,
    })?;
    if args.output.as_os_str() == "-" {
        return Ok(io::stdout().lock().write_all(page.as_bytes())?);
    }
    std::fs::write(&args.output, page)
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    let _ = writeln!(io::stderr(), "queue-trace: the report is in {}", args.output.display());
    Ok(())
}
