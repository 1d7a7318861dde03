//! What the load generator reports, one JSON object a line. Both sides include this file.

use serde::{Deserialize, Serialize};

/// What watches while the load runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tracer {
    /// Three empty programs: one where a SYN comes, one where a final ACK does, one where a connection is accepted.
    /// With fewer nobody sees all three.
    Least,
    /// Empty programs at the hooks of `Counting`.
    Floor,
    /// queue-trace, counting and streaming nothing.
    Counting,
    /// queue-trace, streaming every event to a reader that writes JSON to `/dev/null`.
    Streaming,
    /// queue-trace, counting by kprobes.
    Kprobes,
    /// tcpsynbl of libbpf-tools: one histogram of the accept queue's depth.
    Tcpsynbl,
    /// bpftrace by kprobes: SYNs and ACKs per listener, a histogram of waits.
    BpftraceKprobe,
    /// The same by kfuncs.
    BpftraceKfunc,
}

impl Tracer {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 8] = [
        Self::Least,
        Self::Floor,
        Self::Counting,
        Self::Streaming,
        Self::Kprobes,
        Self::Tcpsynbl,
        Self::BpftraceKprobe,
        Self::BpftraceKfunc,
    ];

    /// Whether it is somebody else's program.
    pub(crate) const fn is_peer(self) -> bool {
        matches!(self, Self::Tcpsynbl | Self::BpftraceKprobe | Self::BpftraceKfunc)
    }

    /// As the load generator takes it on its command line, and JSON has it.
    pub(crate) fn key(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().into()
    }

    /// The one of that key.
    pub(crate) fn of_key(key: &str) -> Result<Self, String> {
        let keys = || Self::ALL.map(Self::key).join(", ");
        serde_json::from_value(key.into()).map_err(|_| format!("give one of {}", keys()))
    }

    /// As the tables call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Least => "three hooks",
            Self::Floor => "floor",
            Self::Counting => "counting",
            Self::Streaming => "streaming",
            Self::Kprobes => "counting, kprobes",
            Self::Tcpsynbl => "tcpsynbl",
            Self::BpftraceKprobe => "bpftrace kprobe",
            Self::BpftraceKfunc => "bpftrace kfunc",
        }
    }
}

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// `connect()`, `accept()`, both closed.
    Connection,
    /// A SYN that meets a full accept queue.
    RefusedSyn,
    /// A SYN that is answered with a cookie.
    CookieSyn,
    /// A final ACK that meets a full accept queue.
    RefusedAck,
    /// A SYN-ACK that the timer sends again.
    Retransmit,
}

impl Scenario {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 5] =
        [Self::Connection, Self::RefusedSyn, Self::CookieSyn, Self::RefusedAck, Self::Retransmit];

    /// As the load generator takes it on its command line, and JSON has it.
    pub(crate) fn key(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().into()
    }

    /// As the tables call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::RefusedSyn => "refused SYN",
            Self::CookieSyn => "cookie SYN",
            Self::RefusedAck => "refused final ACK",
            Self::Retransmit => "SYN-ACK retransmission",
        }
    }

    /// Events that queue-trace streams for one operation.
    pub(crate) const fn events(self) -> f64 {
        match self {
            Self::Connection => 3.0, // syn_queued, established, accept
            _ => 1.0,
        }
    }
}

/// One line of the load generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Sample {
    /// A pair of batches, without and with a tracer; instructions per operation.
    Cost {
        /// The watcher.
        tracer: Tracer,
        /// The load.
        scenario: Scenario,
        /// Nothing attached.
        alone: f64,
        /// With the tracer, its process included.
        traced: f64,
        /// What the tracer's process used of it, as the scheduler sees it: with what interrupted it.
        reader: f64,
    },
    /// A program's part, measured by the kernel (`bpf_stats_enabled`), per operation.
    Program {
        /// Whose it is.
        tracer: Tracer,
        /// The load.
        scenario: Scenario,
        /// Its hook, or as the kernel knows it: 15 bytes of its name.
        name: String,
        /// Runs.
        runs: f64,
        /// Instructions between its start and its end, the clock's own included.
        instructions: f64,
    },
    /// What an empty program takes, instructions a run.
    Hook {
        /// At a function's entry.
        entry: u64,
        /// At its return.
        exit: u64,
        /// One at each.
        both: u64,
    },
    /// What a tracer put into the kernel.
    Loaded {
        /// The watcher.
        tracer: Tracer,
        /// How many programs.
        programs: u64,
        /// Instructions that the verifier looked at; 0 where the kernel does not tell.
        verified: u64,
        /// Machine code.
        jited_bytes: u64,
        /// Maps, as the kernel accounts for them.
        map_bytes: u64,
    },
    /// A tracer that does not work here, or under this load.
    Missing {
        /// The watcher.
        tracer: Tracer,
        /// The load, unless it is all of them.
        scenario: Option<Scenario>,
        /// Why, in its own words.
        reason: String,
    },
}
