//! What happens now, as snapshots and the events between them.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use queue_trace_common::Outcome;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::judge::Judge;
use super::{How, TopArgs};
use crate::kernel::attach::Settings;
use crate::model::{QueueEvent, Snapshot};
use crate::output::top::{Fed, Origin};
use crate::source::{Beginning, Census, Source, monotonic_ns};

/// Which listeners there are, and whose, is asked for each time this has passed.
const SURVEY: Duration = Duration::from_secs(5);
/// More events than this between two readings are left out of what is told of clients.
const RECORDS: usize = 100_000;

/// This machine.
pub(super) struct Now {
    source: Source,
    read: Interval,
    survey: Interval,
    /// The last snapshot that had anything new.
    last: Snapshot,
    /// Events since.
    records: Vec<(u32, QueueEvent)>,
    /// What is to be seen around the listeners, as of the last survey.
    census: Rc<Census>,
    judge: Judge,
}

impl Now {
    /// Attaches or polls, as was asked for.
    pub(super) fn start(args: &TopArgs) -> anyhow::Result<(Self, Origin)> {
        let (mut source, beginning) = open(args)?;
        source.survey().context("cannot read the listeners")?;
        let every = |start, period| {
            let mut timer = interval_at(start, period);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        let now = Instant::now();
        let (read, survey) = (every(now, args.interval), every(now + SURVEY, SURVEY));
        let (last, records) = (Snapshot::default(), Vec::new());
        let origin = origin(beginning);
        let census = Rc::new(Census::take(false));
        let judge = Judge::new(origin.start_ns, &census);
        Ok((Self { source, read, survey, last, records, census, judge }, origin))
    }

    /// Waits for the next reading. Nothing is lost when it is given up waiting for.
    pub(super) async fn next(&mut self) -> anyhow::Result<Fed> {
        loop {
            let Self { source, records, .. } = self;
            tokio::select! {
                biased;
                _ = self.survey.tick() => {
                    source.survey()?;
                    self.census = Rc::new(Census::take(false));
                }
                _ = self.read.tick() => return self.read(),
                result = source.events(|listener, event| {
                    if records.len() < RECORDS {
                        records.push((listener.id, *event));
                    }
                    true
                }) => result?,
            }
        }
    }

    fn read(&mut self) -> anyhow::Result<Fed> {
        match self.source.watch()? {
            Some(snapshot) => self.last = snapshot,
            // Nothing new: only time has passed.
            None => self.last.time_ns = monotonic_ns(),
        }
        let (snapshot, records) = (self.last.clone(), std::mem::take(&mut self.records));
        let verdicts = self.judge.judge(&snapshot, &records, &self.census);
        Ok(Fed { snapshot, records, verdicts, settings: self.census.settings() })
    }
}

/// The source that was asked for, or else the best that there is.
fn open(args: &TopArgs) -> anyhow::Result<(Source, Beginning)> {
    let stream = Outcome::mask(crate::cli::verdicts::need);
    let tier = args.attach.tier();
    let types = args.btf.clone();
    let settings = Settings { stream, workers: true, tier, types, ..Settings::default() };
    match args.attach {
        How::Poll => Source::poll(),
        How::Auto => Source::attach(&settings, args.btf.is_none()),
        How::Fentry | How::Kprobe => Source::attach(&settings, false),
    }
}

fn origin(beginning: Beginning) -> Origin {
    let refusal = beginning.refusal.map(|why| format!("more, because it is refused: {why}"));
    let losses = beginning.losses.into_iter().chain(beginning.notes);
    Origin {
        start_ns: monotonic_ns(),
        wall: Timestamp::now(),
        from_zero: true,
        losses: refusal.into_iter().chain(losses).collect(),
        recorded: None,
    }
}
