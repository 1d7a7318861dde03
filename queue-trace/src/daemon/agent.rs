//! The daemon's loop.

use std::future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::config::{Attach, Config, Loaded, Mistake};
use super::farewell;
use super::history::History;
use super::logging::Log;
use super::memory::{self, Rest};
use super::notify::Notify;
use super::privileges::{Needs, drop_all};
use super::published::Published;
use super::refusals::Refusals;
use crate::kernel::pins::DEFAULT_FOLDER;
use crate::model::{Listener, QueueEvent, Snapshot};
use crate::source::{self, Beginning, Resumed, Source, monotonic_ns};

/// Reads the configuration anew, with all its layers.
pub type Reread = Box<dyn Fn() -> Result<Loaded, Mistake>>;

/// Where the kernel's probes are listed.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// How many events wait for an output that is slow, before it misses the oldest.
const EVENTS: usize = 1024;

/// The running daemon.
pub struct Agent {
    source: Source,
    loaded: Loaded,
    reread: Reread,
    log: Log,
    notify: Notify,
    signals: Signals,
    history: Arc<RwLock<History>>,
    published: watch::Sender<Arc<Published>>,
    events: broadcast::Sender<Arc<(Listener, QueueEvent)>>,
    refusals: Refusals,
    rest: Rest,
}

/// What other processes ask of us.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// When something is due.
struct Timers {
    read: Interval,
    survey: Interval,
    /// Only where the service manager watches.
    alive: Option<Interval>,
}

/// What the loop does next.
enum Step {
    Read,
    Survey,
    Alive,
    Reload,
    End,
}

impl Agent {
    /// Begins to count, or to poll, and reads for the first time. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line for the user: what is missing and what to do.
    pub fn start(loaded: Loaded, reread: Reread) -> anyhow::Result<Self> {
        let log = Log::start(&loaded.config.log)?;
        memory::by_small_pages();
        // Before attaching, so that a signal from now on ends us in order.
        let signals = Signals::catch()?;
        let notify = Notify::from_environment()?;
        let (mut source, beginning) = open(&loaded.config)?;
        let now = Timestamp::now();
        let began = |resumed: Resumed| Timestamp::from_nanosecond(resumed.began_ns.into()).ok();
        let started = beginning.resumed.and_then(began).unwrap_or(now);
        announce(&beginning, &loaded.config);
        source.survey()?;
        let snapshot = source.watch()?.unwrap_or_default();
        memory::give_back();
        let history = History::new(loaded.config.history.bounds());
        let history = Arc::new(RwLock::new(history));
        let losses = [beginning.losses, beginning.notes].concat();
        let mut refusals = Refusals::default();
        refusals.begin(&snapshot);
        let published = Published {
            settings: Arc::new(source.settings()),
            history: Arc::clone(&history),
            ..Published::new(snapshot, now, started, losses)
        };
        Ok(Self {
            source,
            loaded,
            reread,
            log,
            notify,
            signals,
            history,
            published: watch::Sender::new(Arc::new(published)),
            events: broadcast::Sender::new(EVENTS),
            refusals,
            rest: Rest::default(),
        })
    }

    /// The configuration that holds.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Where outputs find the state of the last reading.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// Where outputs find the events that are streamed.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<(Listener, QueueEvent)>> {
        self.events.subscribe()
    }

    /// Gives up what is not needed to go on.
    pub fn give_up_privileges(&self) {
        let tier = self.published.borrow().snapshot.tier;
        let needs = Needs {
            bpf: matches!(self.source, Source::Live(_)),
            processes: true,
            namespaces: true,
            read: vec![self.loaded.file().to_owned()],
            // Kprobes that were made in tracefs are taken away there; what is closed is written beside pins.
            write: self.written(tier),
        };
        for step in drop_all(&self.loaded.config.privileges, &needs).steps {
            match step.result {
                Ok(_) => tracing::info!("{step}"),
                Err(_) => tracing::warn!("{step}"),
            }
        }
    }

    /// Where files are written while it runs.
    fn written(&self, tier: &str) -> Vec<PathBuf> {
        let traced =
            if tier == "kprobe" { TRACEFS.map(PathBuf::from).to_vec() } else { Vec::new() };
        let kept = self.loaded.config.serve.pin.0.as_ref().map(|_| source::kept());
        traced.into_iter().chain(kept).collect()
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    ///
    /// When the source cannot be read any more.
    pub async fn run(mut self) -> anyhow::Result<()> {
        self.notify.ready(&self.state());
        let mut timers = Timers::new(&self.loaded.config, self.notify.every());
        loop {
            match self.next(&mut timers).await? {
                Step::Read => self.read()?,
                Step::Survey => {
                    self.source.survey()?;
                    self.publish_settings();
                    self.refusals.forget(&self.published.borrow().snapshot);
                    self.notify.status(&self.state());
                }
                Step::Alive => self.notify.alive(),
                Step::Reload => {
                    self.reload();
                    timers = Timers::new(&self.loaded.config, self.notify.every());
                }
                Step::End => break,
            }
        }
        self.notify.stopping();
        self.read()?;
        self.take_leave();
        Ok(())
    }

    /// Waits for what is to be done, and passes events on meanwhile.
    async fn next(&mut self, timers: &mut Timers) -> anyhow::Result<Step> {
        let Self { source, events, signals, .. } = self;
        loop {
            // In this order: however many events there are, the rest is in time.
            let step = tokio::select! {
                biased;
                _ = signals.interrupt.recv() => Step::End,
                _ = signals.terminate.recv() => Step::End,
                _ = signals.hangup.recv() => Step::Reload,
                () = tick(timers.alive.as_mut()) => Step::Alive,
                _ = timers.survey.tick() => Step::Survey,
                _ = timers.read.tick() => Step::Read,
                result = source.events(|listener, event| pass_on(events, listener, event)) => {
                    result?;
                    continue;
                }
            };
            return Ok(step);
        }
    }

    /// Reads the counters, and tells what has changed.
    fn read(&mut self) -> anyhow::Result<()> {
        let snapshot = self.source.watch()?;
        let (at, now) = (Timestamp::now(), monotonic_ns());
        let second = (now / 1_000_000_000) as u32;
        let changed = snapshot.is_some();
        self.rest.note(changed);
        match snapshot {
            Some(snapshot) => self.publish(second, at, snapshot),
            // Only the time goes on: nobody who does not hold it pays for a copy.
            None => self.published.send_modify(|published| {
                let published = Arc::make_mut(published);
                (published.at, published.snapshot.time_ns) = (at, now);
            }),
        }
        self.history.write().unwrap_or_else(PoisonError::into_inner).advance(second);
        if changed || self.refusals.pending() {
            let every = self.loaded.config.serve.refusals.0.as_secs() as u32;
            let published = self.published.borrow();
            for line in self.refusals.lines(second, every, &published.snapshot) {
                tracing::warn!("{line}");
            }
        }
        Ok(())
    }

    fn publish(&self, second: u32, at: Timestamp, snapshot: Snapshot) {
        let before = Arc::clone(&self.published.borrow());
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.note(second, &before.snapshot, &snapshot);
        drop(history);
        let Published { edition, started, losses, settings, history, .. } = &*before;
        let (losses, settings) = (losses.clone(), Arc::clone(settings));
        let (edition, started, history) = (edition + 1, *started, Arc::clone(history));
        let published = Published { snapshot, edition, at, started, losses, settings, history };
        self.published.send_replace(Arc::new(published));
    }

    /// Tells the settings of the namespaces if they are others than before.
    fn publish_settings(&self) {
        let settings = self.source.settings();
        if settings != *self.published.borrow().settings {
            self.published.send_modify(|published| {
                Arc::make_mut(published).settings = Arc::new(settings);
            });
        }
    }

    /// Takes over what can be taken over of the configuration as it is now.
    fn reload(&mut self) {
        self.notify.reloading();
        let changes = (self.reread)().and_then(|new| self.loaded.reload(&new));
        match changes {
            Ok(changes) => {
                self.log.set(&self.loaded.config.log);
                let bounds = self.loaded.config.history.bounds();
                self.history.write().unwrap_or_else(PoisonError::into_inner).set_bounds(bounds);
                let taken = changes.taken.join(", ");
                let taken = if taken.is_empty() { "nothing has changed" } else { &taken };
                tracing::info!("configuration reloaded: {taken}");
                for key in changes.refused {
                    tracing::warn!("{key} cannot change while the daemon runs: restart it");
                }
            }
            Err(mistake) => tracing::error!("the configuration stays as it is: {mistake}"),
        }
        self.notify.ready(&self.state());
    }

    /// The state in one line.
    fn state(&self) -> String {
        let published = self.published.borrow();
        let Snapshot { tier, listeners, .. } = &published.snapshot;
        let open = listeners.iter().filter(|(listener, _)| !listener.closed).count();
        format!("{tier}: {open} listeners")
    }

    fn take_leave(&self) {
        let kept = self.history.read().unwrap_or_else(PoisonError::into_inner).size();
        for line in farewell::lines(&self.published.borrow(), kept) {
            tracing::info!("{line}");
        }
    }
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl Timers {
    fn new(config: &Config, alive: Option<Duration>) -> Self {
        let every = |period: Duration| {
            let mut timer = interval_at(Instant::now() + period, period);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        Self {
            read: every(config.serve.interval.0),
            survey: every(config.serve.poll.0),
            alive: alive.filter(|period| !period.is_zero()).map(every),
        }
    }
}

/// Waits for a timer; for ever if there is none.
async fn tick(timer: Option<&mut Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => future::pending().await,
    }
}

/// The source that the configuration wants.
fn open(config: &Config) -> anyhow::Result<(Source, Beginning)> {
    let settings = config.serve.attach_settings();
    let fall_back = config.serve.attach == Attach::Auto;
    match (config.serve.attach, &config.serve.pin.0) {
        (Attach::Poll, _) => Source::poll(),
        (_, Some(folder)) => Source::attach_pinned(&settings, folder, fall_back),
        (_, None) => Source::attach(&settings, fall_back),
    }
}

/// Says what is watched and what cannot be.
fn announce(beginning: &Beginning, config: &Config) {
    let Beginning { tier, listeners, refusal, losses, notes, resumed } = beginning;
    if let Some(refusal) = refusal {
        tracing::warn!("by {tier} only, because more is refused here: {refusal}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let every = config.serve.interval.0;
    tracing::info!("queue-trace {version}: {listeners} listeners by {tier}, read each {every:?}");
    if let Some(Resumed { began_ns, not_streamed }) = resumed {
        let since = Timestamp::from_nanosecond(i128::from(*began_ns)).unwrap_or_default();
        tracing::info!(
            "going on with what is counted since {since:.0}; {not_streamed} records of single events found \
             no room or were thinned since then"
        );
    } else if config.serve.pin.0.is_none() && Path::new(DEFAULT_FOLDER).is_dir() {
        tracing::warn!(
            "what a former daemon has pinned in {DEFAULT_FOLDER} goes on counting: `queue-trace serve --pin` \
             goes on with it, `queue-trace serve --unpin` ends it"
        );
    }
    for loss in losses {
        tracing::warn!("not visible here: {loss}");
    }
    for note in notes {
        tracing::warn!("{note}");
    }
}

/// Passes an event on to the outputs that want it.
fn pass_on(
    events: &broadcast::Sender<Arc<(Listener, QueueEvent)>>,
    listener: &Listener,
    event: &QueueEvent,
) -> bool {
    tracing::debug!(
        "{}: {} {}",
        listener.name(),
        event.event().name(),
        event.outcome.reason().unwrap_or_default()
    );
    if events.receiver_count() > 0 {
        // Fails only when the last of them went just now.
        let _ = events.send(Arc::new((listener.clone(), *event)));
    }
    true
}
