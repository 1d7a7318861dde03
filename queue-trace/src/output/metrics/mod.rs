//! What can be measured: one table of names, kinds and meanings, for each output that shows numbers over
//! time.
//!
//! Every metric reads its points from a [`View`]. Its name is the family's, without the suffixes that an
//! output puts behind it (`_total`, `_bucket`). Labels never name a client, and owners stand at
//! `listener_info` only.

mod books;
mod connections;
mod listeners;
mod own;
mod queues;
mod times;
mod verdicts;

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use queue_trace_common::Histogram;

use crate::model::{Key, Service, Services, Snapshot};
use crate::procfs::Sysctls;

pub use times::BOUNDS;

/// A name and its value.
pub type Label<'a> = (&'static str, Cow<'a, str>);

/// How a metric's values behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution of times.
    Histogram,
    /// Always 1: its labels say something.
    Info,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A count.
    Count(u64),
    /// A level, or a counter that is no whole number; in the unit of its metric.
    Level(f64),
    /// A distribution.
    Times(&'a Histogram),
}

/// Where points go: the labels of the place, those that tell the points of a place apart, and the value.
pub type Sink<'s> = dyn FnMut(&[Label<'_>], &[Label<'_>], Value<'_>) + 's;

/// A family of series.
#[derive(Debug)]
pub struct Metric {
    /// Name, with the unit at its end if there is one.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// Unit as in the name, or empty.
    pub unit: &'static str,
    /// What it means, in a sentence.
    pub help: &'static str,
    /// The labels beside those of the place.
    pub labels: &'static [&'static str],
    /// Hands its points over.
    pub read: fn(&View<'_>, &mut Sink<'_>),
}

/// What the program itself takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    /// Processor time so far, user and system, seconds.
    pub cpu_seconds: f64,
    /// Memory in RAM, bytes.
    pub resident_bytes: u64,
    /// Connections to the endpoint that were closed at once because there were too many.
    pub refused_connections: u64,
}

/// Everything that metrics are read from.
#[derive(Debug)]
pub struct View<'a> {
    /// The last snapshot.
    pub snapshot: &'a Snapshot,
    /// The same, summed up by service: it was the last that went in.
    pub services: &'a Services,
    /// When the snapshot was taken.
    pub at: Timestamp,
    /// When counting began.
    pub started: Timestamp,
    /// What is not seen here, one line each.
    pub losses: &'a [String],
    /// The settings of the namespaces, by their inodes.
    pub settings: &'a HashMap<u32, Sysctls>,
    /// What the program itself takes.
    pub own: Own,
    places: Vec<Place<'a>>,
}

/// A service, and the labels that say where it is.
#[derive(Debug)]
struct Place<'a> {
    /// Where it is; nothing of the remainder.
    key: Option<Key>,
    labels: Vec<Label<'a>>,
    service: &'a Service,
}

impl<'a> View<'a> {
    /// Puts it together.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        services: &'a Services,
        (started, at): (Timestamp, Timestamp),
        losses: &'a [String],
        settings: &'a HashMap<u32, Sysctls>,
        own: Own,
    ) -> Self {
        let known = services.known();
        let known =
            known.map(|(key, service)| Place { key: Some(*key), labels: labels(key), service });
        let remainder = services.remainder();
        let labels = vec![("address", Cow::Borrowed("other"))];
        let other = Place { key: None, labels, service: remainder };
        let is_there = !remainder.open.is_empty() || !remainder.totals.is_empty();
        let places = known.chain(is_there.then_some(other)).collect();
        Self { snapshot, services, at, started, losses, settings, own, places }
    }

    /// One point for each service that has a value.
    fn each(&self, sink: &mut Sink<'_>, value: impl Fn(&'a Service) -> Option<Value<'a>>) {
        for place in &self.places {
            if let Some(value) = value(place.service) {
                sink(&place.labels, &[], value);
            }
        }
    }
}

fn labels(key: &Key) -> Vec<Label<'static>> {
    let mut labels = vec![
        ("netns", Cow::Owned(key.netns.to_string())),
        ("address", Cow::Owned(key.address.to_string())),
        ("port", Cow::Owned(key.port.to_string())),
    ];
    labels.extend(key.device.map(|device| ("device", Cow::Owned(device.to_string()))));
    labels
}

/// All metrics, in the order in which they are shown.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    [
        queues::METRICS,
        connections::METRICS,
        times::METRICS,
        verdicts::METRICS,
        listeners::METRICS,
        books::METRICS,
        own::METRICS,
    ]
    .into_iter()
    .flatten()
}

const fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
