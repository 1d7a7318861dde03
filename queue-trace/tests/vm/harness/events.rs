//! Events as `queue-trace trace --format json` writes them.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    pub(crate) time: String,
    pub(crate) event: String,
    pub(crate) reason: Option<String>,
    pub(crate) listener: u32,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) netns: u64,
    pub(crate) client_address: Option<IpAddr>,
    pub(crate) client_port: Option<u16>,
    pub(crate) accept_depth: u32,
    pub(crate) syn_depth: u32,
    pub(crate) limit: u32,
    pub(crate) wait_ns: Option<u64>,
    pub(crate) handshake_ns: Option<u64>,
    pub(crate) age_ns: Option<u64>,
    pub(crate) data_bytes: Option<u32>,
    pub(crate) retransmit: Option<u32>,
    pub(crate) acked: Option<bool>,
    pub(crate) former_limit: Option<u32>,
    pub(crate) asked_backlog: Option<u32>,
    pub(crate) somaxconn: Option<u32>,
    pub(crate) errno: Option<i32>,
    pub(crate) pid: Option<u32>,
    pub(crate) comm: Option<String>,
}

/// The line at the end that tells how many of a kind of event there are no lines of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) of: String,
    pub(crate) reason: Option<String>,
    pub(crate) thinned: u64,
    pub(crate) shed: u64,
}

impl Event {
    /// The client, where the event has one.
    pub(crate) fn client(&self) -> Option<SocketAddr> {
        Some((self.client_address?, self.client_port?).into())
    }

    /// The listener's address.
    pub(crate) fn listens_at(&self) -> SocketAddr {
        (self.address, self.port).into()
    }
}

/// Events in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events(pub(crate) Vec<Event>);

impl Events {
    /// Those of one kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Event> + Clone {
        self.0.iter().filter(move |event| event.event == kind)
    }

    /// Those of one kind and reason.
    pub(crate) fn because<'a>(
        &'a self,
        kind: &'a str,
        reason: &'a str,
    ) -> impl Iterator<Item = &'a Event> + Clone {
        self.of(kind).filter(move |event| event.reason.as_deref() == Some(reason))
    }

    /// How many there are of one kind.
    pub(crate) fn count(&self, kind: &str) -> u64 {
        self.of(kind).count() as u64
    }

    /// How many there are of one kind and reason.
    pub(crate) fn count_because(&self, kind: &str, reason: &str) -> u64 {
        self.because(kind, reason).count() as u64
    }

    /// Those of one namespace.
    pub(crate) fn in_namespace(&self, netns: u64) -> Self {
        Self(self.0.iter().filter(|event| event.netns == netns).cloned().collect())
    }

    /// Those of listeners on one port.
    pub(crate) fn at_port(&self, port: u16) -> Self {
        Self(self.0.iter().filter(|event| event.port == port).cloned().collect())
    }

    /// Those of one listener, by its number.
    pub(crate) fn of_listener(&self, number: u32) -> Self {
        Self(self.0.iter().filter(|event| event.listener == number).cloned().collect())
    }

    /// Those of one client.
    pub(crate) fn of_client(&self, client: SocketAddr) -> Self {
        Self(self.0.iter().filter(|event| event.client() == Some(client)).cloned().collect())
    }

    /// The numbers of the listeners, each once, by number.
    pub(crate) fn listeners(&self) -> Vec<u32> {
        let mut numbers: Vec<_> = self.0.iter().map(|event| event.listener).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The one event of a kind that there is.
    pub(crate) fn only(&self, kind: &str) -> &Event {
        let found: Vec<_> = self.0.iter().filter(|event| event.event == kind).collect();
        assert_eq!(found.len(), 1, "one {kind} was expected in:\n{self}");
        found[0]
    }
}

/// What a failing scenario shows: counts, then the last events.
impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        let mut kinds = std::collections::BTreeMap::<_, u64>::new();
        for event in &self.0 {
            *kinds.entry((&event.event, event.reason.as_deref().unwrap_or(""))).or_default() += 1;
        }
        for ((kind, reason), count) in kinds {
            writeln!(f, "  {count:>6} {kind} {reason}")?;
        }
        for event in &self.0[self.0.len().saturating_sub(SHOWN)..] {
            let mut line = format!("  {} {} {}", event.time, event.listens_at(), event.event);
            if let Some(reason) = &event.reason {
                let _ = write!(line, " {reason}");
            }
            if let Some(client) = event.client() {
                let _ = write!(line, " from {client}");
            }
            let (accept, syn, limit) = (event.accept_depth, event.syn_depth, event.limit);
            let _ = write!(line, " accept {accept}/{limit} syn {syn}");
            for (name, value) in [
                ("wait", event.wait_ns),
                ("handshake", event.handshake_ns),
                ("age", event.age_ns),
                ("data", event.data_bytes.map(u64::from)),
                ("retransmit", event.retransmit.map(u64::from)),
            ] {
                if let Some(value) = value {
                    let _ = write!(line, " {name} {value}");
                }
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
