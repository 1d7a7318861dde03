//! Whose the listeners are, and how evenly they and their processes work.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Kind, Label, Metric, Place, Sink, Value, View};
use crate::model::{Home, NamespaceName, Process};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "queuetrace_listener",
        kind: Kind::Info,
        unit: "",
        help: "Who holds the newest open listener of the service: the first of its processes. Owners stand here only; join on the place.",
        labels: &[
            "netns_name",
            "pid",
            "comm",
            "executable",
            "cgroup",
            "unit",
            "runtime",
            "container",
            "pod",
        ],
        read: owners,
    },
    Metric {
        name: "queuetrace_listener_processes",
        kind: Kind::Gauge,
        unit: "",
        help: "Processes that hold an open listener of the service.",
        labels: &[],
        read: |view, sink| {
            for place in &view.places {
                let pids: HashSet<_> = processes(view, place).map(|process| process.pid).collect();
                sink(&place.labels, &[], Value::Count(pids.len() as u64));
            }
        },
    },
    Metric {
        name: "queuetrace_reuseport_imbalance_ratio",
        kind: Kind::Gauge,
        unit: "ratio",
        help: "Greatest share of accepts of a SO_REUSEPORT group's member over the even share: 1 is even, the number of members is all at one.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| s.member_imbalance.map(Value::Level)),
    },
    Metric {
        name: "queuetrace_workers_imbalance_ratio",
        kind: Kind::Gauge,
        unit: "ratio",
        help: "The same of the processes that share the listeners.",
        labels: &[],
        read: |view, sink| view.each(sink, |s| s.worker_imbalance.map(Value::Level)),
    },
    Metric {
        name: "queuetrace_services",
        kind: Kind::Gauge,
        unit: "",
        help: "Services with series of their own: listeners that are open or were, by namespace, address, port and device.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.services.known().count() as u64)),
    },
    Metric {
        name: "queuetrace_services_limit",
        kind: Kind::Gauge,
        unit: "",
        help: "How many services may have series of their own.",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.services.bound() as u64)),
    },
    Metric {
        name: "queuetrace_services_folded",
        kind: Kind::Gauge,
        unit: "",
        help: "Services with an open listener that have none: they are summed up under address=\"other\".",
        labels: &[],
        read: |view, sink| sink(&[], &[], Value::Count(view.services.folded() as u64)),
    },
];

/// One point for each service, so that a join on the place is never ambiguous.
fn owners(view: &View<'_>, sink: &mut Sink<'_>) {
    // The remainder has many and none.
    for place in view.places.iter().filter(|place| place.labels.len() > 1) {
        let Some(owner) = processes(view, place).next() else { continue };
        let nowhere = Home::default();
        let home = owner.home.as_ref().unwrap_or(&nowhere);
        let container = home.container.as_ref();
        let netns = place.service.open.last().and_then(|at| view.snapshot.listeners.get(*at));
        let netns = netns.and_then(|(listener, _)| view.snapshot.namespace_name(listener.netns));
        let netns = netns.and_then(NamespaceName::label);
        let pid = owner.pid.to_string();
        let texts = [
            ("netns_name", netns.as_ref()),
            ("pid", Some(&pid)),
            ("comm", Some(&owner.comm)),
            ("executable", owner.executable.as_ref()),
            ("cgroup", Some(&home.cgroup)),
            ("unit", home.unit.as_ref()),
            ("runtime", container.map(|container| &container.runtime)),
            ("container", container.map(|container| &container.id)),
            ("pod", home.pod.as_ref()),
        ];
        let some = |(name, text): (&'static str, Option<&'_ String>)| -> Option<Label<'_>> {
            None.or(text
                .filter(|text| !text.is_empty())
                .map(|text| (name, Cow::Owned(text.clone()))))
        };
        let labels: Vec<_> = texts.into_iter().filter_map(some).collect();
        sink(&place.labels, &labels, Value::Count(1));
    }
}

/// The processes of the open listeners, those of the newest first.
fn processes<'a>(view: &'a View<'_>, place: &'a Place<'_>) -> impl Iterator<Item = &'a Process> {
    let open = place.service.open.iter().rev().filter_map(|at| view.snapshot.listeners.get(*at));
    open.flat_map(|(listener, _)| &listener.owners)
}
