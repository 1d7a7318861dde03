//! Every outcome that queue-trace tells apart: one counter each, one row of the table each.

/// What a user sees in the `event` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A SYN made a half-open request.
    SynQueued,
    /// A SYN was answered with a SYN cookie.
    SynCookie,
    /// A SYN with data was taken by TCP Fast Open.
    SynFastopen,
    /// A SYN for a half-open request that exists already; not a new one.
    SynDuplicate,
    /// A SYN was refused.
    SynRefused,
    /// A final ACK made a connection, which entered the accept queue.
    Established,
    /// A final ACK was refused.
    AckRefused,
    /// A segment for a half-open request that is no final ACK, or comes too late to be one.
    AckIgnored,
    /// `TCP_DEFER_ACCEPT` held a bare final ACK back.
    AckDeferred,
    /// A SYN cookie came back and was valid.
    CookieValid,
    /// A SYN cookie came back and was not valid.
    CookieInvalid,
    /// A SYN-ACK was sent again.
    SynackRetransmit,
    /// A half-open request ended without a connection.
    RequestExpired,
    /// `accept()` took a connection.
    Accept,
    /// `accept()` returned an error.
    AcceptFailed,
    /// A half-open request or a waiting connection went over to another listener of its
    /// `SO_REUSEPORT` group, or was lost on the way.
    Migrated,
    /// A connection left the accept queue without having been accepted.
    Abandoned,
    /// `listen()` made a listener.
    Listen,
    /// `listen()` was called again on a listener.
    BacklogChanged,
    /// The listener closed.
    Close,
}

impl Event {
    /// All events, in the order of a connection's life.
    pub const ALL: [Self; 20] = [
        Self::SynQueued,
        Self::SynCookie,
        Self::SynFastopen,
        Self::SynDuplicate,
        Self::SynRefused,
        Self::Established,
        Self::AckRefused,
        Self::AckIgnored,
        Self::AckDeferred,
        Self::CookieValid,
        Self::CookieInvalid,
        Self::SynackRetransmit,
        Self::RequestExpired,
        Self::Accept,
        Self::AcceptFailed,
        Self::Migrated,
        Self::Abandoned,
        Self::Listen,
        Self::BacklogChanged,
        Self::Close,
    ];

    /// The name in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynQueued => "syn_queued",
            Self::SynCookie => "syn_cookie",
            Self::SynFastopen => "syn_fastopen",
            Self::SynDuplicate => "syn_duplicate",
            Self::SynRefused => "syn_refused",
            Self::Established => "established",
            Self::AckRefused => "ack_refused",
            Self::AckIgnored => "ack_ignored",
            Self::AckDeferred => "ack_deferred",
            Self::CookieValid => "cookie_valid",
            Self::CookieInvalid => "cookie_invalid",
            Self::SynackRetransmit => "synack_retransmit",
            Self::RequestExpired => "request_expired",
            Self::Accept => "accept",
            Self::AcceptFailed => "accept_failed",
            Self::Migrated => "migrated",
            Self::Abandoned => "abandoned",
            Self::Listen => "listen",
            Self::BacklogChanged => "backlog_changed",
            Self::Close => "close",
        }
    }
}

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident: $event:ident $($reason:literal)?,)*) => {
        /// One way in which a SYN, a final ACK, a cookie, a half-open request, a waiting connection
        /// or a listener can fare. The number is the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Outcome {
            $($(#[$doc])* $name,)*
        }

        impl Outcome {
            /// All outcomes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// A set of outcomes: those that are wanted, bit by number.
            pub fn mask(wanted: impl Fn(Self) -> bool) -> u64 {
                let wanted = Self::ALL.iter().filter(|outcome| wanted(**outcome));
                wanted.fold(0, |bits, outcome| bits | 1 << *outcome as u64)
            }

            /// The event that users see it as.
            #[must_use]
            pub const fn event(self) -> Event {
                match self { $(Self::$name => Event::$event,)* }
            }

            /// Why, for the outcomes that need a reason.
            #[must_use]
            pub const fn reason(self) -> Option<&'static str> {
                match self { $(Self::$name => outcomes!(@reason $($reason)?),)* }
            }

            /// The outcome of a number, if there is one.
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }
        }
    };
    (@reason) => { None };
    (@reason $reason:literal) => { Some($reason) };
}

outcomes! {
    /// A half-open request was queued and a SYN-ACK sent.
    SynQueued: SynQueued,
    /// A SYN for a request that another CPU was queueing at the same time; the kernel counts nothing.
    SynRace: SynDuplicate "queued_by_another_cpu",
    /// The client sent its SYN again; the request is there and the SYN-ACK is resent, if not too often.
    SynRetransmitted: SynDuplicate "retransmitted",
    /// Answered with a cookie: SYN queue full with `tcp_syncookies` 1, or always with 2.
    SynCookie: SynCookie,
    /// Fast Open made a connection out of the SYN.
    SynFastopen: SynFastopen,
    /// Accept queue full: `ListenOverflows`, `ListenDrops`.
    SynAcceptQueueFull: SynRefused "accept_queue_full",
    /// SYN queue full and cookies off: `TCPReqQFullDrop`, `ListenDrops`.
    SynQueueFull: SynRefused "syn_queue_full",
    /// Cookies off, the last quarter of `tcp_max_syn_backlog` is kept for proven peers: `ListenDrops`.
    SynLastQuarter: SynRefused "syn_backlog_last_quarter",
    /// No memory for the request, or the listener was being freed: `ListenDrops`.
    SynNoMemory: SynRefused "no_memory",
    /// No route back to the client, or a security module said no: `ListenDrops`.
    SynNoRoute: SynRefused "no_route_or_denied",
    /// The listener closed under a Fast Open SYN: `ListenDrops`.
    SynClosing: SynRefused "listener_closing",
    /// Sent to a broadcast or multicast address: `ListenDrops`.
    SynNotUnicast: SynRefused "not_unicast",
    /// The handshake is complete, the connection waits in the accept queue.
    Established: Established,
    /// An MPTCP subflow joined its connection; it needs no accept.
    SubflowJoined: Established "subflow_joined",
    /// Accept queue full, final ACK dropped in silence: `ListenOverflows`, `ListenDrops`.
    AckAcceptQueueFull: AckRefused "accept_queue_full",
    /// The same under `tcp_abort_on_overflow`: the client got a RST.
    AckAcceptQueueFullReset: AckRefused "accept_queue_full_reset",
    /// The connection could not be made for another reason (memory, route, port): `ListenDrops`.
    AckChildFailed: AckRefused "child_failed",
    /// The same under `tcp_abort_on_overflow`, which is about every failure: the client got a RST.
    AckChildFailedReset: AckRefused "child_failed_reset",
    /// Another CPU had taken the same final ACK; the kernel counts nothing.
    AckLostRace: AckIgnored "taken_by_another_cpu",
    /// The listener closed between the ACK and the queue.
    AckClosing: AckRefused "listener_closing",
    /// Not an acceptable acknowledgement number; the listener answers with RST.
    AckBadNumber: AckIgnored "bad_ack_number",
    /// Outside the window, failed timestamp check, or no ACK at all.
    AckUnacceptable: AckIgnored "unacceptable_segment",
    /// Held back by `TCP_DEFER_ACCEPT`: `TCPDeferAcceptDrop`.
    AckDeferred: AckDeferred,
    /// A valid cookie made a connection, which waits in the accept queue: `SyncookiesRecv`.
    CookieEstablished: CookieValid,
    /// Valid, but the accept queue was full: `SyncookiesRecv`, `ListenOverflows`, `ListenDrops`.
    CookieAcceptQueueFull: AckRefused "cookie_accept_queue_full",
    /// Valid, but its options, a security module, another connection of the same addresses or the
    /// closing of the listener forbade a connection: `SyncookiesRecv`.
    CookieFailed: AckRefused "cookie_unusable",
    /// Valid, but the connection could not be made (memory, route, port): `SyncookiesRecv`, `ListenDrops`.
    CookieChildFailed: AckRefused "cookie_child_failed",
    /// An acknowledgement that is no cookie of ours: `SyncookiesFailed`.
    CookieInvalid: CookieInvalid,
    /// The SYN-ACK was sent again.
    SynackRetransmit: SynackRetransmit,
    /// The SYN-ACK could not be sent again.
    SynackUnsendable: SynackRetransmit "unsendable",
    /// All SYN-ACKs were sent and none was answered.
    ExpiredRetries: RequestExpired "retries_exhausted",
    /// The listener of the request had closed.
    ExpiredListenerClosed: RequestExpired "listener_closed",
    /// The SYN-ACK could not be sent.
    ExpiredUnsendable: RequestExpired "synack_unsendable",
    /// The client's RST, or a SYN inside the window, ended the request: `EmbryonicRsts`.
    ExpiredReset: RequestExpired "reset_by_client",
    /// An ICMP error ended the request: `ListenDrops`.
    ExpiredIcmp: RequestExpired "icmp_error",
    /// The request was ended from outside (`ss -K`, namespace exit).
    ExpiredAborted: RequestExpired "aborted",
    /// Accepted.
    Accepted: Accept,
    /// Accepted, but the client had reset the connection while it waited.
    AcceptedReset: Accept "reset_while_waiting",
    /// The process has no file descriptor left (`RLIMIT_NOFILE`).
    AcceptEmfile: AcceptFailed "emfile",
    /// The system has no file left (`fs.file-max`).
    AcceptEnfile: AcceptFailed "enfile",
    /// Nothing to accept, and the socket does not block.
    AcceptEagain: AcceptFailed "eagain",
    /// A signal ended the wait.
    AcceptEintr: AcceptFailed "eintr",
    /// Any other error; the record has its number.
    AcceptOther: AcceptFailed "other_error",
    /// A half-open request went over to another listener: `TCPMigrateReqSuccess`.
    MigratedRequest: Migrated "request",
    /// A waiting connection went over to another listener: `TCPMigrateReqSuccess`.
    MigratedConnection: Migrated "connection",
    /// No listener took it over, or it was lost on the way: `TCPMigrateReqFailure`.
    MigrationFailed: Migrated "failed",
    /// Still waiting when the listener closed.
    AbandonedListenerClosed: Abandoned "listener_closed",
    /// `listen()` on a socket that did not listen.
    Listen: Listen,
    /// `listen()` on a listener.
    BacklogChanged: BacklogChanged,
    /// The listener left LISTEN.
    Close: Close,
}

// The configuration has one bit for each.
const _: () = assert!(Outcome::COUNT <= 64);
