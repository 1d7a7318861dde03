//! One queue event.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use queue_trace_common::{COMM_LENGTH, Event, Outcome, Record};

/// A process that holds a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its name, as `/proc/PID/comm` had it then.
    pub comm: String,
    /// Its program file (`/proc/PID/exe`), where that may be read.
    pub executable: Option<String>,
    /// Where it belongs, where that may be read.
    pub home: Option<Home>,
}

/// Where a process belongs: its control group, and what that says of who started it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Home {
    /// Path of the control group, from the root of its hierarchy (`/proc/PID/cgroup`).
    pub cgroup: String,
    /// The systemd unit, if it is in one.
    pub unit: Option<String>,
    /// The container, if it is in one.
    pub container: Option<Container>,
    /// `uid` of the Kubernetes pod, if it is in one.
    pub pod: Option<String>,
}

impl Home {
    /// In a few words: the container, or else the unit; nothing in neither.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        /// What runtimes themselves show of the ids that they make up.
        const SHOWN: usize = 12;
        let Some(Container { runtime, id }) = &self.container else { return self.unit.clone() };
        let made_up = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = if made_up { id.get(..SHOWN).unwrap_or(id) } else { id };
        Some(format!("{runtime} {id}"))
    }
}

/// A container, as control groups tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Container {
    /// What runs it: `docker`, `containerd`, `cri-o`, `podman`, or as the group's name has it.
    pub runtime: String,
    /// Its id, as the runtime shows it.
    pub id: String,
}

/// The process that called `accept()`, `listen()` or `close()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Process id.
    pub pid: u32,
    /// Its name as the kernel has it; see [`Self::name`]. No `String`: there are millions of events.
    pub comm: [u8; COMM_LENGTH],
}

impl Caller {
    /// The name, as `/proc/PID/comm` had it then.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        text(&self.comm)
    }
}

/// One queue event at one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueEvent {
    /// When, nanoseconds of the monotonic clock.
    pub time_ns: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// The client, where there is one.
    pub client: Option<SocketAddr>,
    /// Accept-queue depth after the event.
    pub accept_depth: u32,
    /// SYN-queue depth after the event.
    pub syn_depth: u32,
    /// What the kernel made of the backlog; both queues are full above it.
    pub limit: u32,
    /// Wait, handshake or age, where the event has one and it is known; nanoseconds.
    pub duration_ns: Option<u64>,
    /// See [`Record::detail`].
    pub detail: u32,
    /// Who did it.
    pub process: Option<Caller>,
}

impl QueueEvent {
    /// An event of nobody, at an empty listener (tests).
    #[cfg(test)]
    pub(crate) fn made(outcome: Outcome, time_ns: u64) -> Self {
        Self {
            time_ns,
            outcome,
            client: None,
            accept_depth: 0,
            syn_depth: 0,
            limit: 0,
            duration_ns: None,
            detail: 0,
            process: None,
        }
    }

    /// The event of a record; nothing for an outcome that this program does not know.
    #[must_use]
    pub fn from_record(record: &Record) -> Option<Self> {
        let outcome = Outcome::from_number(record.outcome)?;
        let takes_time = !matches!(outcome, Outcome::Listen | Outcome::BacklogChanged);
        Some(Self {
            time_ns: record.time_ns,
            outcome,
            client: address(&record.client_address, record.client_version)
                .map(|address| SocketAddr::new(address, record.client_port)),
            accept_depth: record.accept_depth,
            syn_depth: record.syn_depth,
            limit: record.limit,
            duration_ns: Some(record.duration_ns).filter(|ns| takes_time && *ns != 0),
            detail: record.detail,
            process: (record.pid != 0).then_some(Caller { pid: record.pid, comm: record.comm }),
        })
    }

    /// Of a request that ended: how often its SYN-ACK was sent again.
    #[must_use]
    pub fn resent(&self) -> u32 {
        self.detail & ((1 << Record::ACKED_SHIFT) - 1)
    }

    /// Of a request that ended: whether its final ACK had come and was refused or held back.
    #[must_use]
    pub fn acked(&self) -> bool {
        self.detail >> Record::ACKED_SHIFT != 0
    }

    /// The name users see.
    #[must_use]
    pub fn event(&self) -> Event {
        self.outcome.event()
    }
}

/// An address as the kernel side writes it: version 4 in the first four bytes, 6 in all, else none.
pub(super) fn address(bytes: &[u8; 16], version: u8) -> Option<IpAddr> {
    let [a, b, c, d, ..] = *bytes;
    match version {
        4 => Some(Ipv4Addr::new(a, b, c, d).into()),
        6 => Some(Ipv6Addr::from(*bytes).into()),
        _ => None,
    }
}

/// A task's name: bytes up to the first zero.
pub(super) fn text(comm: &[u8]) -> Cow<'_, str> {
    let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
    String::from_utf8_lossy(comm.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_told_by_its_container_or_its_unit() {
        let container = |id: &str| Some(Container { runtime: "docker".into(), id: id.into() });
        let home = |unit: Option<&str>, container| Home {
            unit: unit.map(Into::into),
            container,
            ..Home::default()
        };
        for (home, told) in [
            (home(Some("a.service"), None), Some("a.service")),
            (
                home(Some("a.service"), container(&"2403ccfe".repeat(8))),
                Some("docker 2403ccfe2403"),
            ),
            (home(None, container("web")), Some("docker web")),
            (home(None, container(&"é".repeat(32))), Some(&*format!("docker {}", "é".repeat(32)))),
            (home(None, None), None),
        ] {
            assert_eq!(home.place().as_deref(), told);
        }
    }
}
