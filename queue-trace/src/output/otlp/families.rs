//! Which metric counts which outcomes.

use queue_trace_common::{Event, Outcome};

use super::points::{About, Attributes, text};
use crate::model::Totals;

/// A counter of some events.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) about: About,
    /// The attribute that tells its events apart, if there are several.
    key: Option<&'static str>,
    /// The events, with its values.
    events: &'static [(Event, &'static str)],
}

impl Family {
    const fn one(about: About, event: &'static [(Event, &'static str)]) -> Self {
        Self { about, key: None, events: event }
    }

    /// Its points: an outcome that never happened has none if it is one of several that need a reason.
    pub(super) fn counts(&self, totals: &Totals) -> impl Iterator<Item = (Attributes, u64)> {
        let points = Outcome::ALL.iter().filter_map(|outcome| {
            let (_, value) = self.events.iter().find(|(event, _)| *event == outcome.event())?;
            let count = totals.of(*outcome);
            let reason = outcome.reason();
            if count == 0 && reason.is_some() && !ALWAYS.contains(outcome) {
                return None;
            }
            let mut attributes = Attributes::new();
            attributes.extend(self.key.map(|key| text(key, *value)));
            attributes.extend(reason.map(|reason| text("error.type", reason)));
            Some((attributes, count))
        });
        points.collect::<Vec<_>>().into_iter()
    }
}

/// Alerts are made of these: a counter that appears only with its first refusal hides that one.
const ALWAYS: [Outcome; 3] =
    [Outcome::SynAcceptQueueFull, Outcome::SynQueueFull, Outcome::AckAcceptQueueFull];

/// Every event is in one of them at least.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        about: About {
            name: "queue_trace.syns",
            unit: "{syn}",
            description: "What became of SYNs",
        },
        key: Some("queue_trace.result"),
        events: &[
            (Event::SynQueued, "queued"),
            (Event::SynCookie, "cookie"),
            (Event::SynFastopen, "fastopen"),
            (Event::SynDuplicate, "duplicate"),
            (Event::SynRefused, "refused"),
        ],
    },
    Family {
        about: About {
            name: "queue_trace.refusals",
            unit: "{refusal}",
            description: "SYNs and final ACKs that the kernel dropped or reset",
        },
        key: Some("queue_trace.stage"),
        events: &[(Event::SynRefused, "syn"), (Event::AckRefused, "ack")],
    },
    Family::one(
        About {
            name: "queue_trace.established",
            unit: "{connection}",
            description: "Connections that a final ACK made",
        },
        &[(Event::Established, "")],
    ),
    Family {
        about: About {
            name: "queue_trace.cookies",
            unit: "{cookie}",
            description: "SYN cookies sent, and what came back",
        },
        key: Some("queue_trace.result"),
        events: &[
            (Event::SynCookie, "sent"),
            (Event::CookieValid, "valid"),
            (Event::CookieInvalid, "invalid"),
        ],
    },
    Family {
        about: About {
            name: "queue_trace.acks.held",
            unit: "{packet}",
            description: "Segments to half-open requests that made no connection and were not refused",
        },
        key: Some("queue_trace.result"),
        events: &[(Event::AckIgnored, "ignored"), (Event::AckDeferred, "deferred")],
    },
    Family::one(
        About {
            name: "queue_trace.synack.retransmits",
            unit: "{retransmit}",
            description: "SYN-ACKs sent again",
        },
        &[(Event::SynackRetransmit, "")],
    ),
    Family::one(
        About {
            name: "queue_trace.requests.expired",
            unit: "{request}",
            description: "Half-open requests that ended without a connection",
        },
        &[(Event::RequestExpired, "")],
    ),
    Family::one(
        About {
            name: "queue_trace.accepts",
            unit: "{connection}",
            description: "Connections accepted",
        },
        &[(Event::Accept, "")],
    ),
    Family::one(
        About {
            name: "queue_trace.accept.errors",
            unit: "{error}",
            description: "Calls of accept() that failed",
        },
        &[(Event::AcceptFailed, "")],
    ),
    Family::one(
        About {
            name: "queue_trace.abandoned",
            unit: "{connection}",
            description: "Connections that left the accept queue without having been accepted",
        },
        &[(Event::Abandoned, "")],
    ),
    Family::one(
        About {
            name: "queue_trace.migrations",
            unit: "{migration}",
            description: "Requests and connections that went to another listener of the group",
        },
        &[(Event::Migrated, "")],
    ),
    Family {
        about: About {
            name: "queue_trace.listener.changes",
            unit: "{call}",
            description: "Listeners opened, given another backlog, and closed",
        },
        key: Some("queue_trace.result"),
        events: &[
            (Event::Listen, "listen"),
            (Event::BacklogChanged, "backlog_changed"),
            (Event::Close, "close"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_counted_somewhere() {
        for event in Event::ALL {
            let counts = |family: &&Family| family.events.iter().any(|(known, _)| *known == event);
            assert!(FAMILIES.iter().any(|family| counts(&family)), "{event:?}");
        }
    }

    #[test]
    fn no_two_points_of_a_metric_have_the_same_attributes() {
        let totals = Totals { outcomes: [1; Outcome::COUNT], ..Totals::default() };
        for family in FAMILIES {
            let points: Vec<_> = family.counts(&totals).collect();
            for (number, (attributes, _)) in points.iter().enumerate() {
                let others = points[..number].iter();
                assert!(others.clone().all(|(o, _)| o != attributes), "{family:?}: {attributes:?}");
            }
        }
    }
}
