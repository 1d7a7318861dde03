//! Refusals as log records.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use prost::Message as _;
use queue_trace_common::Event;
use tokio::sync::watch;

use super::attributes;
use super::environment::Gathering;
use super::metrics::unix_ns;
use super::points::{text, whole};
use super::queue::{Batch, Queue};
use super::resource::Sender;
use crate::daemon::Published;
use crate::model::{Key, Listener, QueueEvent};

/// Takes refusals and gathers them into requests. Clones share what they gathered.
#[derive(Debug, Clone)]
pub struct Refusals {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gathered: Mutex<Vec<LogRecord>>,
    gathering: Gathering,
    queue: Arc<Queue>,
    sender: Sender,
    published: watch::Receiver<Arc<Published>>,
}

impl Refusals {
    pub(super) fn new(
        gathering: Gathering,
        queue: Arc<Queue>,
        sender: Sender,
        published: watch::Receiver<Arc<Published>>,
    ) -> Self {
        let gathered = Mutex::default();
        Self { shared: Arc::new(Shared { gathered, gathering, queue, sender, published }) }
    }

    /// Takes an event; what is no refusal is let be. Never waits: when more come than may be kept until they
    /// are sent, the rest is counted as lost.
    pub fn take(&self, listener: &Listener, event: &QueueEvent) {
        let Some(stage) = stage(event) else { return };
        let Shared { gathered, gathering, queue, published, .. } = &*self.shared;
        let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() >= gathering.most {
            return queue.delivery().overflowed(1);
        }
        let time_ns = {
            let read = published.borrow();
            let late = i128::from(event.time_ns) - i128::from(read.snapshot.time_ns);
            i128::from(unix_ns(read.at)) + late
        };
        gathered.push(record(listener, event, stage, u64::try_from(time_ns).unwrap_or(0)));
    }

    /// Hands over what was gathered.
    pub(super) fn flush(&self) {
        let mut gathered = self.shared.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *gathered);
        drop(gathered);
        for some in all.chunks(self.shared.gathering.batch) {
            self.shared.queue.push(self.batch(some.to_vec()));
        }
    }

    fn batch(&self, log_records: Vec<LogRecord>) -> Batch {
        let items = log_records.len() as u64;
        let scope = ScopeLogs { scope: Some(Sender::scope()), log_records, ..ScopeLogs::default() };
        let resource = ResourceLogs {
            resource: Some(self.shared.sender.resource()),
            scope_logs: vec![scope],
            ..ResourceLogs::default()
        };
        let request = ExportLogsServiceRequest { resource_logs: vec![resource] };
        Batch { body: Bytes::from(request.encode_to_vec()), items }
    }
}

/// What was refused, if anything was.
fn stage(event: &QueueEvent) -> Option<&'static str> {
    match event.event() {
        Event::SynRefused => Some("syn"),
        Event::AckRefused => Some("ack"),
        _ => None,
    }
}

/// One refusal. The client stands in the text only: it is no attribute, here as in the metrics.
fn record(listener: &Listener, event: &QueueEvent, stage: &str, time_ns: u64) -> LogRecord {
    let reason = event.outcome.reason().unwrap_or_default();
    let mut all = attributes::address(Key::of(listener).as_ref());
    all.extend([
        text("queue_trace.stage", stage),
        text("error.type", reason),
        whole("queue_trace.accept_queue.usage", event.accept_depth),
        whole("queue_trace.syn_queue.usage", event.syn_depth),
        whole("queue_trace.accept_queue.limit", event.limit),
    ]);
    all.extend(listener.owners.first().map(attributes::process).into_iter().flatten());
    let what = if stage == "syn" { "SYN" } else { "final ACK" };
    let client = event.client.map(|client| format!(" of {client}")).unwrap_or_default();
    let body = format!("{} refused a {what}{client}: {reason}", listener.name());
    LogRecord {
        time_unix_nano: time_ns,
        observed_time_unix_nano: time_ns,
        severity_number: SeverityNumber::Warn.into(),
        severity_text: "WARN".to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: all,
        event_name: format!("queue_trace.{}", event.event().name()),
        ..LogRecord::default()
    }
}
