//! A recording, played at its own pace or another one.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::judge::Judge;
use crate::cli::replay::told;
use crate::output::top::{Fed, Origin, Pace};
use crate::source::Recording;

/// A recording that is being played.
pub(super) struct Tape {
    recording: Recording,
    judge: Judge,
    /// What is shown next; nothing at the end.
    ahead: Option<Fed>,
    /// The time of the recording that is shown, nanoseconds of its monotonic clock.
    at_ns: u64,
    /// When that was.
    since: Instant,
    /// How fast it has been played since.
    speed: f64,
}

impl Tape {
    /// Opens a file.
    pub(super) fn open(file: &Path) -> anyhow::Result<(Self, Origin)> {
        let recording = Recording::open(file)?;
        let header = recording.header();
        let losses = header.means.losses.iter().chain(&header.means.notes);
        let origin = Origin {
            start_ns: header.start_ns,
            wall: header.wall,
            // A file that continues another begins with what was counted before.
            from_zero: header.part == 0,
            losses: losses.cloned().collect(),
            recorded: Some(header.host.clone()),
        };
        let judge = Judge::new(origin.start_ns, &Rc::default());
        let mut tape =
            Self { recording, judge, ahead: None, at_ns: 0, since: Instant::now(), speed: 0.0 };
        tape.look_ahead()?;
        let first = tape.ahead.as_ref().map_or(0, |first| first.snapshot.time_ns);
        tape.at_ns = if origin.from_zero { origin.start_ns } else { first };
        Ok((tape, origin))
    }

    /// Waits until the next snapshot is due; nothing at the end. Nothing is lost when it is given up waiting for,
    /// to be called again with another pace.
    pub(super) async fn next(&mut self, pace: Pace) -> anyhow::Result<Option<Fed>> {
        self.play_on(pace);
        let Some(due_ns) = self.ahead.as_ref().map(|next| next.snapshot.time_ns) else {
            return Ok(None);
        };
        match due_ns.saturating_sub(self.at_ns) {
            _ if pace.steps > 0 => {}
            _ if pace.paused => std::future::pending().await,
            left => sleep(Duration::from_secs_f64(left as f64 / 1e9 / pace.speed)).await,
        }
        (self.at_ns, self.since) = (due_ns, Instant::now());
        let fed = self.ahead.take();
        self.look_ahead()?;
        Ok(fed)
    }

    /// Notes how far it has been played by now, and how fast it is from now on.
    fn play_on(&mut self, pace: Pace) {
        let now = Instant::now();
        let passed = (now - self.since).as_nanos() as f64 * self.speed;
        self.at_ns = self.at_ns.saturating_add(passed as u64);
        self.since = now;
        self.speed = if pace.paused { 0.0 } else { pace.speed };
    }

    fn look_ahead(&mut self) -> anyhow::Result<()> {
        let mut records = Vec::new();
        let more = self.recording.advance(|listener, event| {
            records.push((listener.id, *event));
            true
        })?;
        self.ahead = more.then(|| {
            let snapshot = self.recording.snapshot();
            // Files of the first version have none.
            let census = Rc::new(self.recording.census().unwrap_or_default());
            let verdicts = self.judge.judge(&snapshot, &records, &census);
            Fed { snapshot, records, verdicts, settings: census.settings() }
        });
        Ok(())
    }

    /// Says what of it could not be shown.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        told(&self.recording)
    }
}
