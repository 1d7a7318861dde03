//! `queue-trace record`: events and counters into a file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::capture::{CaptureArgs, FilterArgs};
use super::trace::{announce, duration};
use crate::model::{Listener, QueueEvent};
use crate::recording::{Files, Header, Limits, Stopped};
use crate::source::{Census, Live, Start, monotonic_ns};

/// How often counters are recorded, and events written at the latest.
const EVERY: Duration = Duration::from_secs(1);

/// Arguments of `queue-trace record`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace record -o incident.qtrace --duration 10m
  sudo queue-trace record -o /var/log/queue.qtrace --rotate-size 64M --rotate-time 1h --keep 24

Counters are recorded each second, and events written by then: no more is lost if the program is killed.
`queue-trace replay` shows the file, `queue-trace export` makes a table of it. Ctrl-C ends the recording.")]
pub struct RecordArgs {
    /// The file to write; with --rotate-…, older ones are FILE.1, FILE.2 and so on, and FILE stands for all
    /// of them where a recording is read
    #[arg(long, short, value_name = "FILE", default_value = "queue-trace.qtrace")]
    pub output: PathBuf,
    /// Begin another file once one has this size, for example 500K, 64M or 1G
    #[arg(long, value_parser = size, value_name = "SIZE")]
    pub rotate_size: Option<u64>,
    /// Begin another file once one covers this time, for example 10m or 1h
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub rotate_time: Option<Duration>,
    /// How many files to keep, the one that is written included
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), default_value_t = 8)]
    pub keep: u16,
    /// End after this time, for example 500ms, 10s or 2m
    #[arg(long, value_parser = duration)]
    pub duration: Option<Duration>,
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How to take them.
    #[command(flatten)]
    pub capture: CaptureArgs,
}

/// A number of bytes such as 500K, 64M or 1G.
fn size(text: &str) -> Result<u64, String> {
    let hint = || "not a size: write for example 500K, 64M or 1G".to_owned();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err(hint()),
    };
    let number: u64 = digits.parse().map_err(|_| hint())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(hint)
}

/// Records until the time is over, a signal comes, or the disk is full.
///
/// # Errors
///
/// One line for the user.
pub fn run(args: &RecordArgs) -> anyhow::Result<()> {
    super::block_on(record(args))
}

async fn record(args: &RecordArgs) -> anyhow::Result<()> {
    // Before attaching, so that a signal from now on ends the recording as it should.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut live, start) = Live::start(&args.filter.settings(&args.capture))?;
    let mut tape = Tape::begin(args, &start)?;
    announce("recording", &start);
    let end = args.duration.map(|duration| Instant::now() + duration);
    // A day is as good as never; the loop asks again.
    let far = Duration::from_secs(86_400);
    let mut tidy = interval(Duration::from_secs(10));
    tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut second = interval(EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while tape.stopped.is_none() {
        tokio::select! {
            biased;
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = sleep_until(end.unwrap_or_else(|| Instant::now() + far)), if end.is_some() => break,
            _ = tidy.tick() => {
                live.tidy()?;
                tape.census();
            }
            _ = second.tick() => tape.snapshot(&mut live)?,
            result = live.events(|listener, event| tape.take(listener, event)) => result?,
        }
    }
    tape.end(&mut live)
}

/// What is being recorded.
struct Tape<'a> {
    args: &'a RecordArgs,
    files: Files,
    events: u64,
    stopped: Option<Stopped>,
}

impl<'a> Tape<'a> {
    fn begin(args: &'a RecordArgs, start: &Start) -> anyhow::Result<Self> {
        let limits =
            Limits { size: args.rotate_size, time: args.rotate_time, keep: usize::from(args.keep) };
        let files = Files::create(args.output.clone(), header(start, &args.filter), limits);
        let files = files.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => anyhow::anyhow!(
                "{} is there already: remove it, or choose another name with --output",
                args.output.display()
            ),
            _ => anyhow::Error::new(error)
                .context(format!("cannot record to {}", args.output.display())),
        })?;
        Ok(Self { args, files, events: 0, stopped: None })
    }

    /// Records one event; whether more are wanted.
    fn take(&mut self, listener: &Listener, event: &QueueEvent) -> bool {
        // More ports than the kernel side takes are filtered here.
        if self.stopped.is_none() && self.args.filter.wants(listener) {
            self.stopped = self.files.event(listener, event).err();
            self.events += 1;
        }
        self.stopped.is_none()
    }

    /// Records the counters, and before them the events that are there.
    fn snapshot(&mut self, live: &mut Live) -> anyhow::Result<()> {
        live.rest(|listener, event| self.take(listener, event));
        let mut snapshot = live.snapshot()?;
        live.next_period();
        snapshot.listeners.retain(|(listener, _)| self.args.filter.wants(listener));
        if self.stopped.is_none() {
            self.stopped = self.files.snapshot(&snapshot).err();
        }
        Ok(())
    }

    /// Records what is to be seen around the listeners.
    fn census(&mut self) {
        if self.stopped.is_none() {
            self.stopped = self.files.census(Census::take(true).message()).err();
        }
    }

    fn end(mut self, live: &mut Live) -> anyhow::Result<()> {
        // Before the last events: what happens between them and the counters is in these alone.
        live.refresh_owners(Duration::ZERO)?;
        self.snapshot(live)?;
        self.census();
        if let Some(stopped) = self.stopped {
            return Err(stopped.into());
        }
        self.files.end()?;
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(
            io::stderr(),
            "queue-trace: {} events are in {}",
            self.events,
            self.args.output.display()
        );
        Ok(())
    }
}

/// What is recorded, or reported: where, and how it is watched.
pub(super) fn header(start: &Start, filter: &FilterArgs) -> Header {
    let system = rustix::system::uname();
    Header {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        host: system.nodename().to_string_lossy().into_owned(),
        kernel: system.release().to_string_lossy().into_owned(),
        start_ns: monotonic_ns(),
        wall: Timestamp::now(),
        part: 0,
        hooks: start.plan.hooks.len(),
        means: super::doctor::means(start),
        ports: filter.port.clone(),
        events: filter.event.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_or_none() {
        assert_eq!(
            ["1", "500K", "64M", "2GiB"].map(size),
            [Ok(1), Ok(500 << 10), Ok(64 << 20), Ok(2 << 30)]
        );
        for wrong in ["", "0", "M", "1T", "-1", "1.5M", "99999999999G", "1é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
