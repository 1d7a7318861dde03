//! Metrics as the protocol has them, put together one by one.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram as Histograms, HistogramDataPoint, Metric,
    NumberDataPoint, Sum,
};
use queue_trace_common::{BUCKETS, Histogram, below_ns};

/// Attributes of a point.
pub(super) type Attributes = Vec<KeyValue>;

/// An attribute of text.
pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An attribute that is a number.
pub(super) fn whole(key: &str, value: impl Into<i64>) -> KeyValue {
    attribute(key, Value::IntValue(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// When points were taken, nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// When the counters were zero.
    pub(super) start: u64,
    /// When they were read.
    pub(super) at: u64,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks; adding those of several listeners up makes sense.
    UpDown,
    /// Adding up makes no sense.
    Gauge,
}

/// A value of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    /// So many.
    Whole(u64),
    /// So long, nanoseconds; sent as seconds.
    Time(u64),
    /// More or less than nothing.
    Difference(i128),
}

impl Amount {
    fn number(self) -> Number {
        match self {
            Self::Whole(count) => Number::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
            Self::Time(ns) => Number::AsDouble(seconds(ns)),
            Self::Difference(count) => {
                let most = if count < 0 { i64::MIN } else { i64::MAX };
                Number::AsInt(i64::try_from(count).unwrap_or(most))
            }
        }
    }
}

/// Name, unit and meaning of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
}

impl About {
    fn metric(self, data: Data) -> Metric {
        Metric {
            name: self.name.to_owned(),
            unit: self.unit.to_owned(),
            description: self.description.to_owned(),
            data: Some(data),
            metadata: Vec::new(),
        }
    }
}

/// A metric of numbers, each with the time when it was zero; nothing if there are none.
pub(super) fn numbers(
    about: About,
    kind: Kind,
    at: u64,
    points: impl Iterator<Item = (u64, Attributes, Amount)>,
) -> Option<Metric> {
    let point = |(start, attributes, amount): (u64, Attributes, Amount)| NumberDataPoint {
        attributes,
        // A gauge has no beginning.
        start_time_unix_nano: if kind == Kind::Gauge { 0 } else { start },
        time_unix_nano: at,
        value: Some(amount.number()),
        ..NumberDataPoint::default()
    };
    let data_points: Vec<_> = points.map(point).collect();
    if data_points.is_empty() {
        return None;
    }
    Some(about.metric(match kind {
        Kind::Gauge => Data::Gauge(Gauge { data_points }),
        Kind::Counter | Kind::UpDown => Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: kind == Kind::Counter,
        }),
    }))
}

/// A metric of the kernel's own distributions, each with the time when it was empty.
///
/// The kernel counts times below a bound, the protocol those up to it: a time that is a bound to the
/// nanosecond is one bucket too high.
pub(super) fn histograms(
    about: About,
    at: u64,
    points: impl Iterator<Item = (u64, Attributes, Histogram)>,
) -> Option<Metric> {
    let point = |(start, attributes, times): (u64, Attributes, Histogram)| HistogramDataPoint {
        attributes,
        start_time_unix_nano: start,
        time_unix_nano: at,
        count: times.count(),
        sum: Some(seconds(times.sum_ns)),
        bucket_counts: times.buckets.to_vec(),
        explicit_bounds: (0..BUCKETS).filter_map(below_ns).map(seconds).collect(),
        ..HistogramDataPoint::default()
    };
    let data_points: Vec<_> = points.map(point).collect();
    if data_points.is_empty() {
        return None;
    }
    Some(about.metric(Data::Histogram(Histograms {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
    })))
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// How many points a metric has.
pub(super) fn count(metric: &Metric) -> u64 {
    let points = match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    };
    points as u64
}
