//! What the maps keep for each listener.

use crate::{BUCKETS, COMM_LENGTH, Histogram, Outcome};

/// Bit of [`ListenerRef::flags`]: this listener passes the filters, so its events are streamed.
pub const LISTENER_STREAMS: u32 = 1;
/// Bit of a key of `LISTENERS`: the listener at this kernel address has left LISTEN, and the address may
/// be another's.
pub const CLOSED_KEY: u64 = 1;

/// [`ListenerInfo::asked`] where nobody saw it. Not -1, which programs ask for to get the most there is.
pub const NOT_SEEN: u32 = 1 << 31;

/// Value of the map that finds a listener by the kernel address of its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ListenerRef {
    /// Index into `LISTENER_INFO` and `COUNTERS`; 0 is the slot that all listeners share for which
    /// no slot was left.
    pub slot: u32,
    /// Bits `LISTENER_*`.
    pub flags: u32,
}

/// Who a listener is; written once, when its slot is taken, but for `limit`, `closed_ns` and a `cookie` that
/// was not there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ListenerInfo {
    /// Kernel address of the socket.
    pub socket: u64,
    /// `skc_cookie` when the slot was taken or `look_at_queues` last looked; 0 if nobody had asked the kernel
    /// for one yet.
    pub cookie: u64,
    /// When the slot was taken: at `listen()`, or at the first event of an older listener.
    pub opened_ns: u64,
    /// When the socket left LISTEN; 0 while it listens.
    pub closed_ns: u64,
    /// Cookie of the network namespace (`net.net_cookie`), which no other one has had or will have;
    /// 0 where the kernel gives none.
    pub netns_cookie: u64,
    /// The local address, all zeros for a wildcard; IPv4 fills the first four bytes.
    pub address: [u8; 16],
    /// Name of the process that called `listen()`; zeros for a listener older than we are.
    pub comm: [u8; COMM_LENGTH],
    /// Process id of the same, or 0.
    pub pid: u32,
    /// Inode number of the network namespace (`net.ns.inum`).
    pub netns: u32,
    /// Interface that the socket is bound to (`skc_bound_dev_if`), 0 for any.
    pub device: u32,
    /// `sk_max_ack_backlog` as last set by `listen()` or seen at the first event.
    pub limit: u32,
    /// The backlog that the program asked `listen()` for; [`NOT_SEEN`] if we did not see it.
    pub asked: u32,
    /// `net.core.somaxconn` when `listen()` was called; [`crate::MISSING`] if we did not see it.
    pub somaxconn: u32,
    /// The local port.
    pub port: u16,
    /// Address family of the socket: `AF_INET` (2) or `AF_INET6` (10).
    pub family: u16,
    /// The filler that keeps the size a multiple of eight.
    pub reserved: u32,
}

/// Counters of one listener on one CPU, in cache lines of their own. User space adds the CPUs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Counters {
    /// One count for each [`Outcome`], by its number.
    pub outcomes: [u64; Outcome::COUNT],
    /// One count for each [`Tally`], by its number.
    pub tallies: [u64; Tally::COUNT],
    /// How long accepted connections had waited.
    pub waits: Histogram,
    /// How long handshakes took: from the first SYN-ACK to the final ACK.
    pub handshakes: Histogram,
    /// Greatest `sk_ack_backlog` that this CPU saw.
    pub accept_peak: u32,
    /// Greatest `icsk_accept_queue.qlen` that this CPU saw.
    pub syn_peak: u32,
    /// As `accept_peak`, of the period `period` only.
    pub recent_accept_peak: u32,
    /// As `syn_peak`, of that period only.
    pub recent_syn_peak: u32,
    /// Which period that is: user space begins a new one each time it has read them.
    pub period: u32,
    /// Filler.
    pub reserved: [u32; COUNTERS_FILL],
}

/// Fills the last cache line.
const COUNTERS_FILL: usize = 16 - (COUNTERS_BYTES / 4) % 16;
/// What stands before it.
const COUNTERS_BYTES: usize = 8 * (Outcome::COUNT + Tally::COUNT + 2 * (BUCKETS + 1)) + 20;

impl Default for Counters {
    fn default() -> Self {
        Self {
            outcomes: [0; Outcome::COUNT],
            tallies: [0; Tally::COUNT],
            waits: Histogram::default(),
            handshakes: Histogram::default(),
            accept_peak: 0,
            syn_peak: 0,
            recent_accept_peak: 0,
            recent_syn_peak: 0,
            period: 0,
            reserved: [0; COUNTERS_FILL],
        }
    }
}

/// A process that accepts connections of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WorkerInfo {
    /// The slot of the listener.
    pub slot: u32,
    /// Process id; 0 while the entry is nobody's.
    pub pid: u32,
    /// The name of the thread that accepted first.
    pub comm: [u8; COMM_LENGTH],
}

impl WorkerInfo {
    /// The key by which a process is found that accepts connections of a slot's listener.
    #[must_use]
    pub const fn key(slot: u32, pid: u32) -> u64 {
        (slot as u64) << 32 | pid as u64
    }
}

/// What the kernel counts about a SYN beside its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Tally {
    /// The SYN queue was full and cookies are on (or `tcp_syncookies` is 2), so a cookie was chosen,
    /// whether or not it was then sent: `TCPReqQFullDoCookies`.
    CookieChosen,
    /// The SYN asked for a Fast Open cookie: `TCPFastOpenCookieReqd`.
    FastopenCookieRequested,
    /// Fast Open's own queue was full: `TCPFastOpenListenOverflow`.
    FastopenQueueFull,
    /// Fast Open failed and the SYN was queued as an ordinary one: `ListenDrops` although nothing was
    /// dropped.
    FastopenFallback,
    /// The same because the accept queue was full: `ListenOverflows` too.
    FastopenFallbackOverflow,
    /// A request or connection came over from another listener of the group.
    MigratedHere,
}

impl Tally {
    /// Number of kinds.
    pub const COUNT: usize = 6;
}

/// How long a listener's queues have been full, and who waits in them. Shared by all CPUs; see the kernel side's `gauge`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FullTime {
    /// Since when the accept queue is full; 0 while it is not.
    pub accept_since_ns: u64,
    /// How long it was full before that.
    pub accept_ns: u64,
    /// Since when the SYN queue is full; 0 while it is not.
    pub syn_since_ns: u64,
    /// How long it was full before that.
    pub syn_ns: u64,
    /// Connections in the accept queue, when `look_at_queues` last looked.
    pub waiting: u64,
    /// Half-open requests, at the same time.
    pub half_open: u64,
    /// Since when the first of them has waited, on the monotonic clock; 0 if none does or it is not known.
    pub oldest_ns: u64,
}

/// What every CPU looks at when a pass begins, and few write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Control {
    /// How often counting has begun, 0 while nothing counts: until everything is attached. Written by user
    /// space, together with the period.
    pub armed: u32,
    /// Which period the recent peaks are of.
    pub period: u32,
    /// How many listeners have closed, and [`Self::SHARED`]. Written by the kernel side.
    pub closings: u64,
    /// 1 once a queue has been full. Written by the kernel side, which looks for the end of such a time only then.
    pub ever_full: u64,
    /// Filler, so that nobody else's writing takes the cache line away.
    pub reserved: [u64; 5],
}

impl Control {
    /// Bit of `closings`: another protocol was seen to use TCP's requests and counters.
    pub const SHARED: u64 = 1 << 63;

    /// The first word, all that user space writes, as a little-endian machine has it.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.armed as u64 | (self.period as u64) << 32
    }
}

/// What the kernel side tells of itself, on one CPU, in cache lines of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Troubles {
    /// Records that the ring buffer had no room for, by outcome.
    pub shed: [u64; Outcome::COUNT],
    /// Records that were left out because there were many of their kind and the reader did not keep up, by
    /// outcome.
    pub thinned: [u64; Outcome::COUNT],
    /// With `verify`: outcomes that the kernel's own counters contradict.
    pub contradicted: [u64; Outcome::COUNT],
    /// By [`Fault`].
    pub faults: [u64; Fault::COUNT],
    /// Filler.
    pub reserved: [u64; TROUBLES_FILL],
}

/// Fills the last cache line.
const TROUBLES_FILL: usize = 8 - (3 * Outcome::COUNT + Fault::COUNT) % 8;

impl Default for Troubles {
    fn default() -> Self {
        Self {
            shed: [0; Outcome::COUNT],
            thinned: [0; Outcome::COUNT],
            contradicted: [0; Outcome::COUNT],
            faults: [0; Fault::COUNT],
            reserved: [0; TROUBLES_FILL],
        }
    }
}

/// What can go wrong in the kernel side itself; index into [`Troubles::faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    /// No listener slot was left: events of this listener went to slot 0.
    SlotsExhausted,
    /// No room was left for one more process that accepts: what it took counts at its listener only.
    WorkersExhausted,
}

impl Fault {
    /// Number of kinds.
    pub const COUNT: usize = 2;
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [Self::SlotsExhausted, Self::WorkersExhausted];
}

const _: () = assert!(size_of::<ListenerInfo>() == 104);
const _: () = assert!(size_of::<Counters>() == COUNTERS_BYTES + 4 * COUNTERS_FILL);
const _: () =
    assert!(size_of::<Troubles>() == 8 * (3 * Outcome::COUNT + Fault::COUNT + TROUBLES_FILL));
