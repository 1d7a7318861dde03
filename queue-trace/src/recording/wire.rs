//! The messages in the blocks, as FORMAT.md has them. A field's number is never given to another one; a
//! reader passes over numbers that it does not know, and takes a field that is missing as zero or none.

use prost::Message;

/// What a recording is of: the payload of the first block.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) program: String,
    #[prost(string, tag = "2")]
    pub(crate) host: String,
    #[prost(string, tag = "3")]
    pub(crate) kernel: String,
    #[prost(fixed64, tag = "4")]
    pub(crate) start_ns: u64,
    #[prost(sfixed64, tag = "5")]
    pub(crate) wall_ns: i64,
    #[prost(uint64, tag = "6")]
    pub(crate) part: u64,
    #[prost(string, tag = "7")]
    pub(crate) tier: String,
    #[prost(uint64, tag = "8")]
    pub(crate) hooks: u64,
    #[prost(uint64, tag = "9")]
    pub(crate) listeners: u64,
    #[prost(string, repeated, tag = "10")]
    pub(crate) losses: Vec<String>,
    #[prost(string, repeated, tag = "11")]
    pub(crate) uncounted: Vec<String>,
    #[prost(string, repeated, tag = "12")]
    pub(crate) notes: Vec<String>,
    #[prost(uint32, repeated, tag = "13")]
    pub(crate) ports: Vec<u32>,
    #[prost(string, repeated, tag = "14")]
    pub(crate) events: Vec<String>,
    /// The names of the numbers that stand for outcomes in this file.
    #[prost(string, repeated, tag = "15")]
    pub(crate) outcomes: Vec<String>,
    #[prost(string, repeated, tag = "16")]
    pub(crate) tallies: Vec<String>,
    #[prost(string, repeated, tag = "17")]
    pub(crate) faults: Vec<String>,
    /// The kernel functions that are hooked; `returns` has whether at their return.
    #[prost(string, repeated, tag = "18")]
    pub(crate) functions: Vec<String>,
    #[prost(bool, repeated, tag = "19")]
    pub(crate) returns: Vec<bool>,
    #[prost(string, optional, tag = "20")]
    pub(crate) refusal: Option<String>,
    #[prost(string, repeated, tag = "21")]
    pub(crate) refused: Vec<String>,
    #[prost(bool, tag = "22")]
    pub(crate) syn_by_mib: bool,
    #[prost(bool, tag = "23")]
    pub(crate) ack_by_mib: bool,
    #[prost(string, repeated, tag = "24")]
    pub(crate) privileges: Vec<String>,
    /// Reading the kernel's types, loading and attaching.
    #[prost(uint64, repeated, tag = "25")]
    pub(crate) took_ns: Vec<u64>,
}

/// Descriptions of listeners; the number of one is that of the one before plus one, from 0.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Listeners {
    #[prost(message, repeated, tag = "1")]
    pub(crate) listeners: Vec<Listener>,
}

/// One listener.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Listener {
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    /// 4 or 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) address: Vec<u8>,
    #[prost(uint32, tag = "3")]
    pub(crate) port: u32,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) device: Option<u32>,
    #[prost(uint64, tag = "5")]
    pub(crate) cookie: u64,
    #[prost(uint32, tag = "6")]
    pub(crate) netns: u32,
    #[prost(uint64, tag = "7")]
    pub(crate) netns_cookie: u64,
    #[prost(uint32, tag = "8")]
    pub(crate) limit: u32,
    #[prost(uint32, optional, tag = "9")]
    pub(crate) asked: Option<u32>,
    #[prost(uint32, optional, tag = "10")]
    pub(crate) somaxconn: Option<u32>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) owners: Vec<Process>,
    #[prost(bool, tag = "12")]
    pub(crate) closed: bool,
}

/// A process that holds a listener.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Process {
    #[prost(uint32, tag = "1")]
    pub(crate) pid: u32,
    #[prost(string, tag = "2")]
    pub(crate) comm: String,
    #[prost(string, optional, tag = "3")]
    pub(crate) executable: Option<String>,
    #[prost(message, optional, tag = "4")]
    pub(crate) home: Option<Home>,
}

/// Where a process belongs.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Home {
    #[prost(string, tag = "1")]
    pub(crate) cgroup: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) unit: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub(crate) container: Option<Container>,
    #[prost(string, optional, tag = "4")]
    pub(crate) pod: Option<String>,
}

/// A container.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Container {
    #[prost(string, tag = "1")]
    pub(crate) runtime: String,
    #[prost(string, tag = "2")]
    pub(crate) id: String,
}

/// Events, column by column: what one event has at a place, the others have beside it, so that it
/// compresses well.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Events {
    /// Each less the one before, the first less zero.
    #[prost(sint64, repeated, tag = "1")]
    pub(crate) times: Vec<i64>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) outcomes: Vec<u8>,
    #[prost(uint32, repeated, tag = "3")]
    pub(crate) listeners: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) accept_depths: Vec<u32>,
    #[prost(uint32, repeated, tag = "5")]
    pub(crate) syn_depths: Vec<u32>,
    #[prost(uint32, repeated, tag = "6")]
    pub(crate) limits: Vec<u32>,
    /// 0: not known.
    #[prost(uint64, repeated, tag = "7")]
    pub(crate) durations: Vec<u64>,
    #[prost(uint32, repeated, tag = "8")]
    pub(crate) details: Vec<u32>,
    /// 0 (no client), 4 or 6.
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) client_versions: Vec<u8>,
    /// 4 or 16 bytes for each client.
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) client_addresses: Vec<u8>,
    /// One for each client.
    #[prost(uint32, repeated, tag = "11")]
    pub(crate) client_ports: Vec<u32>,
    /// 0: none; else the place in `callers`, from 1.
    #[prost(uint32, repeated, tag = "12")]
    pub(crate) processes: Vec<u32>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) callers: Vec<Caller>,
}

/// A process that called.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Caller {
    #[prost(uint32, tag = "1")]
    pub(crate) pid: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) comm: Vec<u8>,
}

/// Everything counted so far. Lists named `…_counts` are numbers and counts by turns.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Snapshot {
    #[prost(fixed64, tag = "1")]
    pub(crate) time_ns: u64,
    /// The numbers of all listeners, in order; left out if they are those of the last snapshot.
    #[prost(message, optional, tag = "2")]
    pub(crate) order: Option<Order>,
    /// Of those listeners whose totals are not those of the last snapshot.
    #[prost(message, repeated, tag = "3")]
    pub(crate) totals: Vec<Totals>,
    #[prost(uint64, repeated, tag = "4")]
    pub(crate) shed_counts: Vec<u64>,
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) contradicted_counts: Vec<u64>,
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) fault_counts: Vec<u64>,
    #[prost(uint64, tag = "7")]
    pub(crate) missed: u64,
    #[prost(message, repeated, tag = "8")]
    pub(crate) books: Vec<Balance>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) workers: Vec<Worker>,
    #[prost(message, repeated, tag = "10")]
    pub(crate) programs: Vec<Program>,
    #[prost(uint64, repeated, tag = "11")]
    pub(crate) thinned_counts: Vec<u64>,
    /// Left out if they are those of the last snapshot.
    #[prost(message, optional, tag = "12")]
    pub(crate) namespaces: Option<Namespaces>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) counters: Vec<Counters>,
    #[prost(uint64, tag = "14")]
    pub(crate) folded: u64,
}

/// See [`Snapshot::order`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Order {
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) listeners: Vec<u32>,
}

/// What happened at one listener.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Totals {
    /// The number of its description.
    #[prost(uint32, tag = "1")]
    pub(crate) listener: u32,
    #[prost(uint64, repeated, tag = "2")]
    pub(crate) outcome_counts: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) tally_counts: Vec<u64>,
    #[prost(message, optional, tag = "4")]
    pub(crate) waits: Option<Times>,
    #[prost(message, optional, tag = "5")]
    pub(crate) handshakes: Option<Times>,
    #[prost(uint64, tag = "6")]
    pub(crate) accept_full_ns: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) syn_full_ns: u64,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) oldest_ns: Option<u64>,
    #[prost(uint64, tag = "9")]
    pub(crate) waiting: u64,
    #[prost(uint64, tag = "10")]
    pub(crate) half_open: u64,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) drops: Option<u64>,
    #[prost(uint32, tag = "12")]
    pub(crate) accept_peak: u32,
    #[prost(uint32, tag = "13")]
    pub(crate) syn_peak: u32,
    #[prost(uint32, tag = "14")]
    pub(crate) recent_accept_peak: u32,
    #[prost(uint32, tag = "15")]
    pub(crate) recent_syn_peak: u32,
}

/// A distribution of times: bucket 0 is under a microsecond, bucket n ends at 2^n microseconds.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Times {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) bucket_counts: Vec<u64>,
    #[prost(uint64, tag = "2")]
    pub(crate) sum_ns: u64,
}

/// The books of one namespace.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Balance {
    #[prost(uint32, tag = "1")]
    pub(crate) netns: u32,
    #[prost(message, repeated, tag = "2")]
    pub(crate) lines: Vec<Line>,
}

/// One line of the books.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Line {
    #[prost(string, tag = "1")]
    pub(crate) counter: String,
    #[prost(uint64, tag = "2")]
    pub(crate) kernel: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) ours: u64,
}

/// A process that accepts.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Worker {
    #[prost(uint32, tag = "1")]
    pub(crate) listener: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) pid: u32,
    #[prost(string, tag = "3")]
    pub(crate) comm: String,
    #[prost(uint64, tag = "4")]
    pub(crate) accepts: u64,
}

/// See [`Snapshot::namespaces`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Namespaces {
    #[prost(message, repeated, tag = "1")]
    pub(crate) namespaces: Vec<Namespace>,
}

/// What users know a network namespace by.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Namespace {
    #[prost(uint32, tag = "1")]
    pub(crate) inode: u32,
    #[prost(string, optional, tag = "2")]
    pub(crate) name: Option<String>,
    #[prost(bool, tag = "3")]
    pub(crate) own: bool,
    #[prost(message, optional, tag = "4")]
    pub(crate) resident: Option<Process>,
}

/// The kernel's own counters of one namespace, where there are no books.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Counters {
    #[prost(uint32, tag = "1")]
    pub(crate) netns: u32,
    #[prost(message, repeated, tag = "2")]
    pub(crate) counters: Vec<Counter>,
}

/// By how much the kernel raised one of them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Counter {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) raised: u64,
}

/// What one of our programs cost.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Program {
    #[prost(string, tag = "1")]
    pub(crate) program: String,
    #[prost(uint64, tag = "2")]
    pub(crate) run_ns: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) runs: u64,
}

/// How a file ended: the payload of the last block.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct End {
    /// Whether the recording goes on in another file.
    #[prost(bool, tag = "1")]
    pub(crate) continued: bool,
    /// How many events the file has.
    #[prost(uint64, tag = "2")]
    pub(crate) events: u64,
}
