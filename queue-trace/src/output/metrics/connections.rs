//! What became of SYNs, final ACKs, cookies and connections.

use std::borrow::Cow;

use queue_trace_common::{Event, Outcome, Tally};

use super::{Kind, Label, Metric, Sink, Value, View};
use crate::model::Service;

/// Outcomes that are shown also where they never happened, because alerts look at their first time.
const ALWAYS: [Outcome; 9] = [
    Outcome::SynAcceptQueueFull,
    Outcome::SynQueueFull,
    Outcome::AckAcceptQueueFull,
    Outcome::AcceptEmfile,
    Outcome::AcceptEnfile,
    Outcome::SynackRetransmit,
    Outcome::Accepted,
    Outcome::AbandonedListenerClosed,
    Outcome::ExpiredRetries,
];

pub(super) const METRICS: &[Metric] = &[
    counter(
        "queuetrace_syns",
        "SYNs by what became of them; duplicate ones are not new connections.",
        &["outcome"],
        |view, sink| {
            let rows = [
                ("queued", Event::SynQueued),
                ("cookie", Event::SynCookie),
                ("fastopen", Event::SynFastopen),
                ("refused", Event::SynRefused),
                ("duplicate", Event::SynDuplicate),
            ];
            counts(view, sink, "outcome", &rows, |service, event| service.totals.of_event(*event));
        },
    ),
    counter(
        "queuetrace_refusals",
        "SYNs and final ACKs that were dropped or reset, by stage and reason; reasons are those of the events syn_refused and ack_refused.",
        &["stage", "reason"],
        |view, sink| {
            reasons(view, sink, Event::SynRefused, Some(("stage", "syn")), "reason");
            reasons(view, sink, Event::AckRefused, Some(("stage", "ack")), "reason");
        },
    ),
    counter(
        "queuetrace_syncookies",
        "SYN cookies sent, and those that came back valid (also when the connection was then refused) or not valid.",
        &["event"],
        |view, sink| {
            use Outcome::{
                CookieAcceptQueueFull, CookieChildFailed, CookieEstablished, CookieFailed,
            };
            let valid = [CookieEstablished, CookieAcceptQueueFull, CookieFailed, CookieChildFailed];
            let rows: [(_, &[Outcome]); 3] = [
                ("sent", &[Outcome::SynCookie]),
                ("valid", &valid),
                ("invalid", &[Outcome::CookieInvalid]),
            ];
            counts(view, sink, "event", &rows, |service, outcomes| sum(service, outcomes));
        },
    ),
    counter(
        "queuetrace_established",
        "Connections that entered the accept queue, by how.",
        &["by"],
        |view, sink| {
            let rows = [
                ("handshake", Outcome::Established),
                ("cookie", Outcome::CookieEstablished),
                ("fastopen", Outcome::SynFastopen),
            ];
            counts(view, sink, "by", &rows, |service, outcome| service.totals.of(*outcome));
        },
    ),
    counter(
        "queuetrace_subflows_joined",
        "MPTCP subflows that joined their connection; they need no accept.",
        &[],
        |view, sink| view.each(sink, |s| positive(s.totals.of(Outcome::SubflowJoined))),
    ),
    counter(
        "queuetrace_accepts",
        "Connections that accept() took: open ones, and those that their client had reset while they waited.",
        &["connection"],
        |view, sink| {
            reasons_or(view, sink, Event::Accept, None, ("connection", "open"));
        },
    ),
    counter(
        "queuetrace_accept_errors",
        "Calls of accept() that returned an error; eagain is normal for sockets that do not block.",
        &["error"],
        |view, sink| reasons(view, sink, Event::AcceptFailed, None, "error"),
    ),
    counter(
        "queuetrace_synack_retransmits",
        "SYN-ACKs that were to be sent again: sent, or unsendable.",
        &["result"],
        |view, sink| {
            reasons_or(view, sink, Event::SynackRetransmit, None, ("result", "sent"));
        },
    ),
    counter(
        "queuetrace_requests_expired",
        "Half-open requests that ended without a connection.",
        &["reason"],
        |view, sink| reasons(view, sink, Event::RequestExpired, None, "reason"),
    ),
    counter(
        "queuetrace_acks_deferred",
        "Bare final ACKs that TCP_DEFER_ACCEPT held back; nothing is lost.",
        &[],
        |view, sink| view.each(sink, |s| positive(s.totals.of(Outcome::AckDeferred))),
    ),
    counter(
        "queuetrace_acks_ignored",
        "Segments for half-open requests that are no final ACK, or came too late to be one.",
        &["reason"],
        |view, sink| reasons(view, sink, Event::AckIgnored, None, "reason"),
    ),
    counter(
        "queuetrace_abandoned",
        "Connections that left the accept queue without having been accepted.",
        &["reason"],
        |view, sink| reasons(view, sink, Event::Abandoned, None, "reason"),
    ),
    counter(
        "queuetrace_migrated",
        "Requests and connections that went over to another listener of the group, or failed to.",
        &["result"],
        |view, sink| reasons(view, sink, Event::Migrated, None, "result"),
    ),
    counter(
        "queuetrace_fastopen",
        "TCP Fast Open beside the connections it made: cookies asked for, its own queue full, SYNs that fell back to the ordinary way.",
        &["event"],
        |view, sink| {
            use Tally::{FastopenCookieRequested, FastopenFallback, FastopenQueueFull};
            let rows = [
                ("cookie_requested", FastopenCookieRequested),
                ("queue_full", FastopenQueueFull),
                ("fallback", FastopenFallback),
            ];
            counts(view, sink, "event", &rows, |service, tally| service.totals.tally(*tally));
        },
    ),
    counter(
        "queuetrace_socket_drops",
        "The kernel's own count of packets that listeners discarded for whatever reason (sk_drops); not a count of refusals. Only where it was asked for.",
        &[],
        |view, sink| view.each(sink, |s| s.totals.drops.map(Value::Count)),
    ),
    counter(
        "queuetrace_listener_changes",
        "Listeners that began, were given another backlog by a further listen(), or closed.",
        &["change"],
        |view, sink| {
            let rows = [
                ("listen", Outcome::Listen),
                ("backlog_changed", Outcome::BacklogChanged),
                ("close", Outcome::Close),
            ];
            counts(view, sink, "change", &rows, |service, outcome| service.totals.of(*outcome));
        },
    ),
];

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    read: fn(&View<'_>, &mut Sink<'_>),
) -> Metric {
    Metric { name, kind: Kind::Counter, unit: "", help, labels, read }
}

fn sum(service: &Service, outcomes: &[Outcome]) -> u64 {
    outcomes.iter().map(|outcome| service.totals.of(*outcome)).sum()
}

/// What is rare has a series only once it has happened.
fn positive<'a>(count: u64) -> Option<Value<'a>> {
    (count > 0).then_some(Value::Count(count))
}

/// A point for each service and row; but for the first row only once it has happened.
fn counts<T>(
    view: &View<'_>,
    sink: &mut Sink<'_>,
    label: &'static str,
    rows: &[(&'static str, T)],
    count: impl Fn(&Service, &T) -> u64,
) {
    for place in &view.places {
        for (number, (name, row)) in rows.iter().enumerate() {
            let count = count(place.service, row);
            if number == 0 || count > 0 {
                sink(&place.labels, &[(label, Cow::Borrowed(name))], Value::Count(count));
            }
        }
    }
}

/// The outcomes of an event by their reasons.
fn reasons(
    view: &View<'_>,
    sink: &mut Sink<'_>,
    event: Event,
    fixed: Option<(&'static str, &'static str)>,
    label: &'static str,
) {
    reasons_or(view, sink, event, fixed, (label, "none"));
}

/// The same, with a name for the outcome that has none.
fn reasons_or(
    view: &View<'_>,
    sink: &mut Sink<'_>,
    event: Event,
    fixed: Option<(&'static str, &'static str)>,
    (label, ordinary): (&'static str, &'static str),
) {
    let outcomes: Vec<_> = Outcome::ALL.iter().filter(|outcome| outcome.event() == event).collect();
    for place in &view.places {
        for outcome in &outcomes {
            let count = place.service.totals.of(**outcome);
            if count == 0 && !ALWAYS.contains(outcome) {
                continue;
            }
            let fixed = fixed.map(|(name, value)| (name, Cow::Borrowed(value)));
            let reason = (label, Cow::Borrowed(outcome.reason().unwrap_or(ordinary)));
            let labels: Vec<Label<'_>> = fixed.into_iter().chain([reason]).collect();
            sink(&place.labels, &labels, Value::Count(count));
        }
    }
}
