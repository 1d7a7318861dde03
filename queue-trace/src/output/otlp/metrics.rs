//! The counters as metrics. Their names are an interface: see [`super`].

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use prost::Message as _;
use queue_trace_common::Histogram;

use super::attributes;
use super::delivery::Delivered;
use super::families::FAMILIES;
use super::own;
use super::points::{self, About, Amount, Kind, Span, numbers};
use super::queue::Batch;
use super::resource::Sender;
use crate::daemon::Published;
use crate::diagnose::{self, Verdicts};
use crate::model::{Key, Process, Service, Services, Snapshot, Totals};

/// So many addresses go into one request: by gRPC a receiver takes 4 MiB, unless it is told otherwise.
const AT_ONCE: usize = 256;

/// Makes requests of readings.
#[derive(Debug)]
pub(super) struct Metrics {
    sender: Sender,
    services: Services,
}

impl Metrics {
    pub(super) fn new(sender: Sender, most: usize) -> Self {
        Self { sender, services: Services::new(most) }
    }

    /// The requests of a reading, with what became of earlier ones.
    pub(super) fn requests(&mut self, read: &Published, delivered: [Delivered; 2]) -> Vec<Batch> {
        let span = Span { start: unix_ns(read.started), at: unix_ns(read.at) };
        self.services.fold(&read.snapshot);
        let places = places(&self.services, &read.snapshot, span);
        let said = diagnose::of_services(&self.services, &read.snapshot, &read.settings);
        let own = own::metrics(read, span, delivered);
        // One after the other: as structures they take ten times the memory.
        let mut all: Vec<_> = places
            .chunks(AT_ONCE)
            .map(|some| {
                let mut metrics = of_services(some, span.at, read.snapshot.time_ns);
                metrics.extend(verdicts(some, span.at, &said));
                self.batch(metrics)
            })
            .collect();
        all.push(self.batch(own));
        all
    }

    fn batch(&self, metrics: Vec<Metric>) -> Batch {
        let items = metrics.iter().map(points::count).sum();
        let scope =
            ScopeMetrics { scope: Some(Sender::scope()), metrics, ..ScopeMetrics::default() };
        let resource = ResourceMetrics {
            resource: Some(self.sender.resource()),
            scope_metrics: vec![scope],
            ..ResourceMetrics::default()
        };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![resource] };
        Batch { body: Bytes::from(request.encode_to_vec()), items }
    }
}

/// A service with what its points have in common.
struct Place<'a> {
    /// Where it listens; nothing of what stands for several.
    key: Option<&'a Key>,
    service: &'a Service,
    /// Who holds its open listeners.
    owners: Vec<&'a Process>,
    /// When its counters were zero, nanoseconds since 1970.
    start: u64,
}

/// All services; what stands for several comes last, if there is anything of it.
fn places<'a>(services: &'a Services, snapshot: &'a Snapshot, span: Span) -> Vec<Place<'a>> {
    let place = |key, service: &'a Service| {
        let mut owners: Vec<&Process> = Vec::new();
        for (listener, _) in service.open.iter().filter_map(|at| snapshot.listeners.get(*at)) {
            for owner in &listener.owners {
                if owners.iter().all(|known| known.pid != owner.pid) {
                    owners.push(owner);
                }
            }
        }
        let ago = |began: u64| services.time_ns().saturating_sub(began);
        let start = service.began_ns.map_or(span.start, |began| span.at.saturating_sub(ago(began)));
        Place { key, service, owners, start }
    };
    let rest = services.remainder();
    let is_there = !rest.open.is_empty() || !rest.totals.is_empty();
    let known = services.known().map(|(key, service)| place(Some(key), service));
    known.chain(is_there.then(|| place(None, rest))).collect()
}

/// Nanoseconds since 1970.
pub(super) fn unix_ns(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

/// What a metric says of an address, if it says anything.
type Value = fn(&Service, now_ns: u64) -> Option<Amount>;

/// The metrics with one point for each address.
const VALUES: &[(About, Kind, Value)] = &[
    (
        About {
            name: "queue_trace.accept_queue.usage",
            unit: "{connection}",
            description: "Connections that wait to be accepted",
        },
        Kind::UpDown,
        |service, _| Some(Amount::Whole(service.totals.waiting)),
    ),
    (
        About {
            name: "queue_trace.accept_queue.limit",
            unit: "{connection}",
            description: "What the kernel made of the backlog; a queue is full above it",
        },
        Kind::UpDown,
        |service, _| (!service.open.is_empty()).then_some(Amount::Whole(service.limit)),
    ),
    (
        About {
            name: "queue_trace.accept_queue.peak",
            unit: "{connection}",
            description: "Most connections that ever waited at one listener",
        },
        Kind::Gauge,
        |service, _| Some(Amount::Whole(service.totals.accept_peak.into())),
    ),
    (
        About {
            name: "queue_trace.accept_queue.oldest",
            unit: "s",
            description: "How long the connection has waited that has waited longest",
        },
        Kind::Gauge,
        |service, now| service.totals.oldest_ns.map(|ns| Amount::Time(now.saturating_sub(ns))),
    ),
    (
        About {
            name: "queue_trace.accept_queue.full",
            unit: "s",
            description: "How long the accept queue was full",
        },
        Kind::Counter,
        |service, _| Some(Amount::Time(service.totals.accept_full_ns)),
    ),
    (
        About {
            name: "queue_trace.syn_queue.usage",
            unit: "{request}",
            description: "Half-open requests",
        },
        Kind::UpDown,
        |service, _| Some(Amount::Whole(service.totals.half_open)),
    ),
    (
        About {
            name: "queue_trace.syn_queue.peak",
            unit: "{request}",
            description: "Most half-open requests that one listener ever had",
        },
        Kind::Gauge,
        |service, _| Some(Amount::Whole(service.totals.syn_peak.into())),
    ),
    (
        About {
            name: "queue_trace.syn_queue.full",
            unit: "s",
            description: "How long the SYN queue was full",
        },
        Kind::Counter,
        |service, _| Some(Amount::Time(service.totals.syn_full_ns)),
    ),
    (
        About {
            name: "queue_trace.listener.count",
            unit: "{listener}",
            description: "Listeners on this address that are open",
        },
        Kind::UpDown,
        |service, _| Some(Amount::Whole(service.open.len() as u64)),
    ),
    (
        About {
            name: "queue_trace.listener.drops",
            unit: "{packet}",
            description: "Packets that the listener discarded for whatever reason (sk_drops)",
        },
        Kind::Counter,
        |service, _| service.totals.drops.map(Amount::Whole),
    ),
];

/// One of the kernel's distributions.
type Times = fn(&Totals) -> Histogram;

/// All of them.
const TIMES: &[(About, Times)] = &[
    (
        About {
            name: "queue_trace.accept_queue.wait",
            unit: "s",
            description: "How long accepted connections had waited in the accept queue",
        },
        |totals| totals.waits,
    ),
    (
        About {
            name: "queue_trace.handshake.duration",
            unit: "s",
            description: "From the first SYN-ACK to the final ACK",
        },
        |totals| totals.handshakes,
    ),
];

fn of_services(places: &[Place<'_>], at: u64, now_ns: u64) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (about, kind, value) in VALUES {
        let points = places.iter().filter_map(|place| {
            let amount = value(place.service, now_ns)?;
            Some((place.start, attributes::address(place.key), amount))
        });
        metrics.extend(numbers(*about, *kind, at, points));
    }
    for (about, times) in TIMES {
        let points = places.iter().map(|place| {
            (place.start, attributes::address(place.key), times(&place.service.totals))
        });
        metrics.extend(points::histograms(*about, at, points));
    }
    for family in FAMILIES {
        let points = places.iter().flat_map(|place| {
            let address = attributes::address(place.key);
            family.counts(&place.service.totals).map(move |(mut own, count)| {
                own.extend(address.iter().cloned());
                (place.start, own, Amount::Whole(count))
            })
        });
        metrics.extend(numbers(family.about, Kind::Counter, at, points));
    }
    let owners = places.iter().flat_map(|place| {
        let address = attributes::address(place.key);
        place.owners.iter().map(move |owner| {
            let mut all = attributes::process(owner);
            all.extend(address.iter().cloned());
            (place.start, all, Amount::Whole(1))
        })
    });
    metrics.extend(numbers(OWNER, Kind::Gauge, at, owners));
    metrics
}

/// What is wrong at the addresses.
fn verdicts(
    places: &[Place<'_>],
    at: u64,
    said: &BTreeMap<Option<Key>, Verdicts>,
) -> Option<Metric> {
    let points = places.iter().flat_map(|place| {
        let verdicts = said.get(&place.key.copied()).into_iter().flatten();
        verdicts.map(|(rule, severity)| {
            let mut all = attributes::address(place.key);
            all.push(points::text("queue_trace.rule", rule.name()));
            all.push(points::text("queue_trace.severity", severity.name()));
            (place.start, all, Amount::Whole(1))
        })
    });
    numbers(VERDICT, Kind::Gauge, at, points)
}

/// Each rule has a point only while it holds.
const VERDICT: About = About {
    name: "queue_trace.verdict",
    unit: "{verdict}",
    description: "A rule that holds at this address by the last half to whole minute; always 1",
};

/// The owners are not attributes of the counters, which would begin anew with each process.
const OWNER: About = About {
    name: "queue_trace.listener.info",
    unit: "{process}",
    description: "A process that holds a listener on this address; always 1",
};
