//! By gRPC, to a receiver that records.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint};
use queue_trace::daemon::Published;
use queue_trace::output::otlp::{Delivered, Exporter, Protocol, Settings};
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::published::{CLIENT, listener, published, refusal};
use super::receiver::{Address, until};

/// As long as the receiver has to take what is left at the end.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings(to: &Address) -> Settings {
    Settings {
        metrics: true,
        endpoint: Some(to.endpoint()),
        protocol: Some(Protocol::Grpc),
        ..Settings::default()
    }
}

pub(super) fn start(settings: &Settings, read: Published) -> Exporter {
    let (_, published) = watch::channel(Arc::new(read));
    Exporter::start(settings, &published).unwrap().expect("it is wanted")
}

pub(super) fn run(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub(super) fn metrics_are_what_was_counted() {
    run(async {
        let (address, read) = (Address::take(), published());
        let exporter = start(&settings(&address), read.clone());
        let receiver = address.begin();
        until("metrics", || !receiver.metrics().is_empty()).await;
        exporter.finish(PATIENCE).await;
        let requests = receiver.metrics();
        let metrics = metrics(&requests[0]);
        check_numbers(&metrics, &read);
        check_histogram(&metrics, &read);
        check_resource(&requests[0]);
        assert!(!format!("{requests:?}").contains(CLIENT), "a client is in the metrics");
    });
}

fn check_numbers(metrics: &[Metric], read: &Published) {
    let here = [("network.local.address", "127.0.0.1"), ("network.local.port", "8080")];
    let value =
        |name: &str, with: &[(&str, &str)]| number(metrics, name, &[&here[..], with].concat());
    // The closed listener's are in the counters, and not in the depths.
    let refused = [("queue_trace.stage", "syn"), ("error.type", "accept_queue_full")];
    let full = value("queue_trace.refusals", &refused);
    let expected = read.snapshot.listeners[0].1.of(queue_trace_common::Outcome::SynAcceptQueueFull);
    assert_eq!(full.value, Some(Number::AsInt(100 + expected as i64)));
    assert_eq!(full.start_time_unix_nano, read.started.as_nanosecond() as u64);
    assert_eq!(full.time_unix_nano, read.at.as_nanosecond() as u64);
    let usage = value("queue_trace.accept_queue.usage", &[]);
    assert_eq!(usage.value, Some(Number::AsInt(3)));
    let limit = value("queue_trace.accept_queue.limit", &[]);
    assert_eq!(limit.value, Some(Number::AsInt(5)));
    let oldest = value("queue_trace.accept_queue.oldest", &[]);
    assert_eq!(oldest.value, Some(Number::AsDouble(3.0)));
    let owner = [("process.pid", "42"), ("container.id", "c0ffee")];
    assert_eq!(value("queue_trace.listener.info", &owner).value, Some(Number::AsInt(1)));
    let verdict = [("queue_trace.rule", "healthy"), ("queue_trace.severity", "fine")];
    assert_eq!(value("queue_trace.verdict", &verdict).value, Some(Number::AsInt(1)));
}

fn check_histogram(metrics: &[Metric], read: &Published) {
    let Some(Data::Histogram(waits)) = &one(metrics, "queue_trace.accept_queue.wait").data else {
        panic!("not a histogram")
    };
    assert_eq!(waits.aggregation_temporality, 2, "not cumulative");
    let here =
        |point: &&HistogramDataPoint| has(&point.attributes, &[("network.local.port", "8080")]);
    let point = waits.data_points.iter().find(here).expect("waits at port 8080");
    assert_eq!((point.count, point.sum), (20, Some(0.0075)));
    assert_eq!(
        (point.bucket_counts[0], point.bucket_counts[11], point.bucket_counts[31]),
        (4, 15, 1)
    );
    assert_eq!((point.bucket_counts.len(), point.explicit_bounds.len()), (32, 31));
    // Microseconds, and powers of two of them.
    assert_eq!((point.explicit_bounds[0], point.explicit_bounds[10]), (0.000_001, 0.001_024));
    assert_eq!(point.start_time_unix_nano, read.started.as_nanosecond() as u64);
}

fn check_resource(request: &ExportMetricsServiceRequest) {
    let resource = request.resource_metrics[0].resource.as_ref().unwrap();
    let set = [("service.name", "edge"), ("deployment.environment.name", "test")];
    assert!(has(&resource.attributes, &set), "{resource:?}");
}

pub(super) fn refusals_become_log_records() {
    run(async {
        let (address, read) = (Address::take(), published());
        let settings = Settings { metrics: false, logs: true, ..settings(&address) };
        let exporter = start(&settings, read.clone());
        let receiver = address.begin();
        let refusals = exporter.refusals().expect("they are wanted");
        refusals.take(&listener(1, 8080), &refusal());
        let accepted = queue_trace_common::Outcome::Accepted;
        let accept = queue_trace::model::QueueEvent { outcome: accepted, ..refusal() };
        refusals.take(&listener(1, 8080), &accept);
        exporter.finish(PATIENCE).await;
        let logs = receiver.logs();
        let records: Vec<_> =
            logs.iter().flat_map(|l| &l.resource_logs[0].scope_logs[0].log_records).collect();
        let [record] = records[..] else { panic!("not one record: {records:?}") };
        assert_eq!(record.event_name, "queue_trace.syn_refused");
        let second = read.at.as_nanosecond() as u64 - 1_000_000_000;
        assert_eq!(record.time_unix_nano, second);
        let expected = [
            ("network.local.port", "8080"),
            ("error.type", "accept_queue_full"),
            ("queue_trace.stage", "syn"),
            ("process.executable.name", "nginx"),
            ("container.id", "c0ffee"),
        ];
        assert!(has(&record.attributes, &expected), "{record:?}");
        assert!(!format!("{:?}", record.attributes).contains(CLIENT), "a client is an attribute");
        assert!(receiver.metrics().is_empty());
    });
}

pub(super) fn a_receiver_that_comes_back_gets_all() {
    run(async {
        let address = Address::take();
        let exporter = start(&Settings { logs: true, ..settings(&address) }, published());
        let [(_, points), (_, records)] = exporter.deliveries();
        let refusals = exporter.refusals().expect("they are wanted");
        refusals.take(&listener(1, 8080), &refusal());
        until("a second try", || points.now().retries > 0).await;
        assert_eq!((points.now().sent, points.now().overflowed), (0, 0));
        let receiver = address.begin();
        until("metrics and a record", || points.now().sent > 0 && records.now().sent > 0).await;
        exporter.finish(PATIENCE).await;
        let received: usize = receiver.metrics().iter().map(points_of).sum();
        let Delivered { sent, overflowed, rejected, .. } = points.now();
        assert_eq!((sent, overflowed, rejected), (received as u64, 0, 0));
        assert_eq!(records.now().sent, 1);
    });
}

pub(super) fn what_is_lost_is_counted() {
    run(async {
        let address = Address::take();
        let exporter = start(&Settings { logs: true, ..settings(&address) }, published());
        let [(_, points), (_, records)] = exporter.deliveries();
        let refusals = exporter.refusals().expect("they are wanted");
        // Nothing is handed over while this runs: the runtime has one thread.
        for _ in 0..3000 {
            refusals.take(&listener(1, 8080), &refusal());
        }
        assert_eq!(records.now().overflowed, 3000 - 2048);
        exporter.finish(Duration::from_millis(100)).await;
        assert_eq!(records.now(), Delivered { overflowed: 3000, ..records.now() });
        assert!(points.now().overflowed > 0 && points.now().sent == 0);
    });
}

/// The metrics of a request.
fn metrics(request: &ExportMetricsServiceRequest) -> Vec<Metric> {
    request.resource_metrics[0].scope_metrics[0].metrics.clone()
}

fn points_of(request: &ExportMetricsServiceRequest) -> usize {
    let count = |metric: &Metric| match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        other => panic!("unexpected: {other:?}"),
    };
    metrics(request).iter().map(count).sum()
}

fn one<'a>(metrics: &'a [Metric], name: &str) -> &'a Metric {
    metrics.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The only point of a metric that has these attributes.
fn number(metrics: &[Metric], name: &str, with: &[(&str, &str)]) -> NumberDataPoint {
    let points = match &one(metrics, name).data {
        Some(Data::Sum(sum)) => &sum.data_points,
        Some(Data::Gauge(gauge)) => &gauge.data_points,
        other => panic!("{name}: {other:?}"),
    };
    let found: Vec<_> = points.iter().filter(|point| has(&point.attributes, with)).collect();
    assert_eq!(found.len(), 1, "{name} {with:?}: {points:?}");
    found[0].clone()
}

fn has(attributes: &[KeyValue], wanted: &[(&str, &str)]) -> bool {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|v| v.value.as_ref())
    {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let there = |(key, value): &(&str, &str)| {
        attributes.iter().any(|attribute| attribute.key == *key && text(attribute) == *value)
    };
    wanted.iter().all(there)
}
