//! What cannot be seen without a hook.

/// What the lack of a function's hooks means.
struct Loss {
    /// One of these has to be hooked.
    one_of: &'static [&'static str],
    /// Without this function the kernel does not do the thing at all.
    only_with: Option<&'static str>,
    /// What is not visible then.
    what: &'static str,
    /// The kernel's counters that our sums then cannot equal.
    counters: &'static [&'static str],
}

const fn loss(one_of: &'static [&'static str], what: &'static str) -> Loss {
    Loss { one_of, only_with: None, what, counters: &[] }
}

impl Loss {
    const fn counters(self, counters: &'static [&'static str]) -> Self {
        Self { counters, ..self }
    }

    const fn only_with(self, function: &'static str) -> Self {
        Self { only_with: Some(function), ..self }
    }
}

const COOKIES_V4: &str = "returned SYN cookies over IPv4";
const COOKIES_V6: &str = "returned SYN cookies over IPv6";
/// There from 5.14 on.
const MIGRATES: &str = "reuseport_migrate_sock";
const MIGRATION: &str = "requests and connections that migrate to another listener";
const COOKIE_COUNTERS: &[&str] =
    &["SyncookiesRecv", "SyncookiesFailed", "ListenOverflows", "ListenDrops"];
const MIGRATION_COUNTERS: &[&str] = &["TCPMigrateReqSuccess", "TCPMigrateReqFailure"];

const LOSSES: &[Loss] = &[
    loss(
        &["tcp_peer_is_proven"],
        "SYNs refused by the last-quarter rule (shown as no_route_or_denied)",
    ),
    loss(&["cookie_v6_init_sequence"], "SYN cookies over IPv6 (shown as refused)")
        .only_with("cookie_v6_init_sequence")
        .counters(&["SyncookiesSent", "ListenOverflows", "ListenDrops"]),
    loss(
        &["__inet_csk_reqsk_queue_drop"],
        "half-open requests that end without a connection, and whether a refused final ACK was reset",
    )
    .counters(&["EmbryonicRsts", "ListenDrops"]),
    loss(
        &["tcp_oow_rate_limited"],
        "repeated SYNs and segments out of window (shown as ack_deferred)",
    )
    .counters(&["TCPDeferAcceptDrop"]),
    loss(&["tcp_rtx_synack"], "SYN-ACKs sent again"),
    loss(&["__cookie_v4_check"], COOKIES_V4).only_with("__cookie_v4_check").counters(COOKIE_COUNTERS),
    loss(&["cookie_v4_check"], COOKIES_V4).only_with("cookie_v4_check").counters(COOKIE_COUNTERS),
    loss(&["__cookie_v6_check"], COOKIES_V6).only_with("__cookie_v6_check").counters(COOKIE_COUNTERS),
    loss(&["cookie_v6_check"], COOKIES_V6).only_with("cookie_v6_check").counters(COOKIE_COUNTERS),
    loss(&["inet_child_forget"], "connections abandoned when their listener closes"),
    loss(&["reuseport_migrate_sock"], MIGRATION).only_with(MIGRATES).counters(MIGRATION_COUNTERS),
    loss(&["inet_reqsk_clone"], MIGRATION).only_with(MIGRATES).counters(MIGRATION_COUNTERS),
    loss(&["inet_ehash_insert"], MIGRATION).only_with(MIGRATES).counters(MIGRATION_COUNTERS),
    loss(&["__sys_accept4"], "accept() that returns an error"),
    loss(&["__sys_listen"], "the backlog that programs ask for"),
    loss(&["__inet_listen_sk", "inet_listen"], "listen() and changed backlogs"),
    loss(
        &["inet_csk_listen_stop"],
        "listeners that close (a new one at the same kernel address goes on with their totals)",
    ),
    loss(&["reqsk_timer_handler"], "why a half-open request expired")
        .counters(MIGRATION_COUNTERS),
    loss(&["tcp_req_err"], "half-open requests that an ICMP error ends (shown as aborted)")
        .counters(&["ListenDrops"]),
    loss(&["tcp_v4_conn_request"], "SYNs to IPv4 broadcast and multicast addresses")
        .counters(&["ListenDrops"]),
    loss(&["tcp_v6_conn_request"], "SYNs to IPv6 multicast addresses")
        .only_with("tcp_v6_conn_request")
        .counters(&["ListenDrops"]),
    loss(&["security_sock_graft", "__inet_accept", "inet_csk_accept"], "accepts and waits"),
];

/// What is not visible, and which counters our sums cannot equal, when `on` says what is hooked and
/// `exists` what the kernel has.
pub(super) fn of(
    on: &dyn Fn(&str) -> bool,
    exists: &dyn Fn(&str) -> bool,
) -> (Vec<String>, Vec<&'static str>) {
    let mut losses: Vec<String> = Vec::new();
    let mut uncounted = Vec::new();
    for loss in LOSSES {
        let hooked = loss.one_of.iter().any(|function| on(function));
        if hooked || loss.only_with.is_some_and(|function| !exists(function)) {
            continue;
        }
        if !losses.iter().any(|known| known == loss.what) {
            losses.push(loss.what.to_owned());
        }
        uncounted.extend(loss.counters);
    }
    uncounted.sort_unstable();
    uncounted.dedup();
    (losses, uncounted)
}
