//! What raises the kernel's counters, and what takes its way through the queues: for the books of scenarios
//! and of storms.
//!
//! Written down anew here, not taken from queue-trace: a mistake in its table has to show.

/// Events by kind and reason; a reason of `*` stands for all, none for those without one.
pub(crate) type Terms = &'static [(&'static str, &'static str)];

/// What raises `ListenOverflows`.
pub(crate) const OVERFLOWS: Terms = &[
    ("syn_refused", "accept_queue_full"),
    ("ack_refused", "accept_queue_full"),
    ("ack_refused", "accept_queue_full_reset"),
    ("ack_refused", "cookie_accept_queue_full"),
];

/// The kernel's counters and what raises them (kernel.md section 5.14; its fact 10).
pub(crate) const IDENTITIES: &[(&str, Terms)] = &[
    ("ListenOverflows", OVERFLOWS),
    (
        "ListenDrops",
        &[
            ("syn_refused", "*"),
            ("ack_refused", "accept_queue_full"),
            ("ack_refused", "accept_queue_full_reset"),
            ("ack_refused", "cookie_accept_queue_full"),
            ("ack_refused", "child_failed"),
            ("ack_refused", "child_failed_reset"),
            ("ack_refused", "cookie_child_failed"),
            ("request_expired", "icmp_error"),
        ],
    ),
    ("TCPReqQFullDrop", &[("syn_refused", "syn_queue_full")]),
    ("SyncookiesSent", &[("syn_cookie", "*")]),
    (
        "SyncookiesRecv",
        &[
            ("cookie_valid", "*"),
            ("ack_refused", "cookie_accept_queue_full"),
            ("ack_refused", "cookie_child_failed"),
            ("ack_refused", "cookie_unusable"),
        ],
    ),
    ("SyncookiesFailed", &[("cookie_invalid", "*")]),
    ("TCPReqQFullDoCookies", &[]),
    // Also of a child that finds its listener closing.
    ("TCPFastOpenPassive", &[("syn_fastopen", "*"), ("syn_refused", "listener_closing")]),
    ("TCPFastOpenCookieReqd", &[]),
    ("TCPFastOpenListenOverflow", &[]),
    ("TCPMigrateReqSuccess", &[("migrated", "request"), ("migrated", "connection")]),
    ("TCPMigrateReqFailure", &[("migrated", "failed")]),
    ("TCPDeferAcceptDrop", &[("ack_deferred", "*")]),
    (
        "EmbryonicRsts",
        &[
            ("request_expired", "reset_by_client"),
            ("ack_refused", "accept_queue_full_reset"),
            ("ack_refused", "child_failed_reset"),
        ],
    ),
    // Counted for each child that the kernel makes, also for one that is of no use in the end.
    (
        "PassiveOpens",
        &[
            ("established", "*"),
            ("cookie_valid", "*"),
            ("syn_fastopen", "*"),
            ("syn_refused", "listener_closing"),
            ("ack_ignored", "taken_by_another_cpu"),
            ("ack_refused", "listener_closing"),
        ],
    ),
];

/// How the summary tells of Fast Open attempts that failed.
pub(crate) const FALLBACK: &str = "Fast Open attempts failed";

/// What the kernel counts about a SYN beside its outcome: only the summary has it, in
/// words that begin like these.
pub(crate) const TALLIES: &[(&str, &str)] = &[
    ("ListenDrops", FALLBACK),
    ("TCPReqQFullDoCookies", "times a full SYN queue"),
    ("TCPFastOpenCookieReqd", "SYNs asked for a Fast Open cookie"),
    ("TCPFastOpenListenOverflow", "SYNs found Fast Open's own queue full"),
];

/// Ways into the accept queue: a subflow that joined its connection needs no accept.
pub(crate) const ENTERED: Terms =
    &[("established", ""), ("cookie_valid", "*"), ("syn_fastopen", "*")];
/// Ways out of it.
pub(crate) const LEFT: Terms = &[("accept", "*"), ("abandoned", "*")];
/// Ways out of the SYN queue.
pub(crate) const ENDED: Terms = &[
    ("established", "*"),
    ("request_expired", "*"),
    ("ack_refused", "accept_queue_full_reset"),
    ("ack_refused", "child_failed_reset"),
    ("ack_refused", "listener_closing"),
];
