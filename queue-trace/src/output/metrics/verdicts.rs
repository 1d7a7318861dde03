//! What is wrong, in the words of `doctor`.

use std::borrow::Cow;

use super::{Kind, Metric, Sink, Value, View};
use crate::diagnose::of_services;

pub(super) const METRICS: &[Metric] = &[Metric {
    name: "queuetrace_verdict",
    kind: Kind::Gauge,
    unit: "",
    help: "1 for each rule of `queue-trace doctor` that holds at the service by what happened in the last half to whole minute, with the worst severity of its listeners; rule healthy where none holds. Nothing where we poll.",
    labels: &["rule", "severity"],
    read: verdicts,
}];

fn verdicts(view: &View<'_>, sink: &mut Sink<'_>) {
    let said = of_services(view.services, view.snapshot, view.settings);
    for place in &view.places {
        for (rule, severity) in said.get(&place.key).into_iter().flatten() {
            let labels = [("rule", rule.name()), ("severity", severity.name())];
            let labels = labels.map(|(name, value)| (name, Cow::Borrowed(value)));
            sink(&place.labels, &labels, Value::Count(1));
        }
    }
}
