//! Push to an OpenTelemetry receiver, by gRPC or HTTP: the counters as metrics, and refusals as log
//! records when that is asked for.
//!
//! Messages are made from the protocol's own definitions and not by an SDK, of which the instruments take
//! one measurement at a time: here the kernel has counted already, and what it counted is sent as it is.
//! All sums are cumulative and begin when counting began; those of an address begin anew when its
//! listeners were forgotten.
//!
//! | metric | unit | attributes beside the address |
//! |---|---|---|
//! | `queue_trace.accept_queue.usage`, `.limit`, `.peak` | `{connection}` | |
//! | `queue_trace.accept_queue.oldest`, `.full` | `s` | |
//! | `queue_trace.accept_queue.wait`, `queue_trace.handshake.duration` | `s`, histograms | |
//! | `queue_trace.syn_queue.usage`, `.peak`, `.full` | `{request}`, `s` | |
//! | `queue_trace.syns`, `queue_trace.cookies`, `queue_trace.acks.held` | | `queue_trace.result` |
//! | `queue_trace.refusals` | `{refusal}` | `queue_trace.stage`, `error.type` |
//! | `queue_trace.requests.expired`, `queue_trace.accept.errors`, `queue_trace.abandoned`, `queue_trace.migrations` | | `error.type` |
//! | `queue_trace.established`, `queue_trace.accepts`, `queue_trace.synack.retransmits` | | `error.type` where there is one |
//! | `queue_trace.verdict` | `{verdict}` | `queue_trace.rule`, `queue_trace.severity` |
//! | `queue_trace.listener.info` | `{process}` | `process.*`, `container.id`, `k8s.pod.uid` |
//!
//! The address is `network.local.address`, `network.local.port`, `queue_trace.netns` and, for a listener
//! that is bound to a device, `queue_trace.device`; points without it sum up the listeners beyond the
//! configured number. No client is an attribute anywhere. What belongs to no listener are losses, cost and the
//! books: `queue_trace.records.shed`, `.programs.missed`, `.program.time`, `.program.runs`, `.faults`,
//! `.balance.difference`, `.tier`, `.losses`, `.export.sent`, `.export.lost`, `.export.retries`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::daemon::Published;
use environment::{Plan, Receiver, Signal};
use metrics::Metrics;
use queue::Queue;
use resource::Sender;
use transport::Transport;

pub use delivery::{Delivered, Delivery};
pub use logs::Refusals;
pub use settings::{Protocol, Settings};

mod attributes;
mod deliver;
mod delivery;
mod environment;
mod families;
mod logs;
mod metrics;
mod own;
mod points;
mod queue;
mod resource;
mod settings;
mod transport;

/// What waits for the receiver of one signal takes at most this much memory: with 1000 listeners two
/// pushes, with 50 some 40.
const MOST_BYTES: usize = 8 << 20;

/// A push that runs; dropping it ends it at once.
#[derive(Debug)]
pub struct Exporter {
    /// Those that send, which never end.
    senders: JoinSet<()>,
    /// Those that make what is sent, which end when they are told to.
    makers: JoinSet<()>,
    stop: watch::Sender<bool>,
    queues: [Arc<Queue>; 2],
    refusals: Option<Refusals>,
}

/// Checks settings and variables without doing anything.
///
/// # Errors
///
/// One line that names the setting or the variable that is wrong.
pub fn check(settings: &Settings) -> anyhow::Result<()> {
    plan(settings).map(drop)
}

fn plan(settings: &Settings) -> anyhow::Result<Plan> {
    Plan::new(settings, &|name| std::env::var(name).ok())
}

impl Exporter {
    /// Begins to push what is published, if that is wanted. Must be called within a tokio runtime. Files
    /// with certificates are read now.
    ///
    /// # Errors
    ///
    /// One line that names what is wrong. A receiver that is out of reach is no error.
    pub fn start(
        settings: &Settings,
        published: &watch::Receiver<Arc<Published>>,
    ) -> anyhow::Result<Option<Self>> {
        let plan = plan(settings)?;
        Self::run(plan, settings.listeners, published)
    }

    fn run(
        plan: Plan,
        listeners: usize,
        published: &watch::Receiver<Arc<Published>>,
    ) -> anyhow::Result<Option<Self>> {
        if plan.metrics.is_none() && plan.logs.is_none() {
            return Ok(None);
        }
        let queues = [(); 2].map(|()| Arc::new(Queue::new(MOST_BYTES, Arc::default())));
        let mut exporter = Self {
            senders: JoinSet::new(),
            makers: JoinSet::new(),
            stop: watch::Sender::new(false),
            queues,
            refusals: None,
        };
        let sender = Sender::new(plan.resource);
        if let Some(receiver) = plan.metrics {
            exporter.send(receiver, Signal::Metrics)?;
            let metrics = Metrics::new(sender.clone(), listeners);
            exporter.push_metrics(metrics, plan.interval, published.clone());
        }
        if let Some(receiver) = plan.logs {
            let queue = exporter.send(receiver, Signal::Logs)?;
            let refusals = Refusals::new(plan.gathering, queue, sender, published.clone());
            exporter.refusals = Some(refusals.clone());
            exporter.push_logs(refusals, plan.gathering.delay);
        }
        Ok(Some(exporter))
    }

    /// What takes refusals, if they are wanted.
    #[must_use]
    pub fn refusals(&self) -> Option<Refusals> {
        self.refusals.clone()
    }

    /// The counts of what was sent and lost: of data points, and of log records.
    #[must_use]
    pub fn deliveries(&self) -> [(&'static str, Arc<Delivery>); 2] {
        let [metrics, logs] = &self.queues;
        [("metrics", metrics.delivery().clone()), ("logs", logs.delivery().clone())]
    }

    /// Pushes once more and ends; waits so long at most. What is left then is counted as lost.
    pub async fn finish(mut self, patience: Duration) {
        self.stop.send_replace(true);
        while self.makers.join_next().await.is_some() {}
        let all = async {
            for queue in &self.queues {
                queue.drained().await;
            }
        };
        let in_time = timeout(patience, all).await;
        self.senders.shutdown().await;
        if in_time.is_err() {
            self.queues.iter().for_each(|queue| queue.give_up());
            tracing::warn!("OTLP: the receiver did not take the last push in time");
        }
    }

    /// Begins to send what comes into the queue of a signal.
    fn send(&mut self, receiver: Receiver, signal: Signal) -> anyhow::Result<Arc<Queue>> {
        let queue = &self.queues[signal as usize];
        let transport = Transport::new(receiver, signal)?;
        self.senders.spawn(deliver::deliver(queue.clone(), transport));
        Ok(queue.clone())
    }

    fn push_metrics(
        &mut self,
        mut metrics: Metrics,
        every: Duration,
        published: watch::Receiver<Arc<Published>>,
    ) {
        let queues = self.queues.clone();
        self.make(every, move || {
            let read = published.borrow().clone();
            let delivered = queues.each_ref().map(|queue| queue.delivery().now());
            let [queue, _] = &queues;
            metrics.requests(&read, delivered).into_iter().for_each(|batch| queue.push(batch));
        });
    }

    fn push_logs(&mut self, refusals: Refusals, every: Duration) {
        self.make(every, move || refusals.flush());
    }

    /// Does something each time so long has passed, and once more at the end.
    fn make(&mut self, every: Duration, mut make: impl FnMut() + Send + 'static) {
        let mut stop = self.stop.subscribe();
        self.makers.spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let last = tokio::select! {
                    _ = ticks.tick() => false,
                    _ = stop.changed() => true,
                };
                make();
                if last {
                    return;
                }
            }
        });
    }
}
