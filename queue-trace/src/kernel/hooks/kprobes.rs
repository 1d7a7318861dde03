//! The hooks of the kprobe tier.
//!
//! Return probes are only on short functions that run with bottom halves off: the kernel prepares as
//! many returns of a function as it has processors, and no more can be under way. `listen()` is the
//! exception: it can wait for a lock, and is too rare to matter. `accept()` is taken where it runs with
//! bottom halves off as well, see the kernel side's `graft`.

use super::Shape::{Value, Void};
use super::{At, Hook, hook};
use super::{
    NO_ABANDONED, NO_ASKED, NO_BACKLOGS, NO_CAUSE, NO_CLOSE, NO_COOKIES, NO_DUPLICATES, NO_ENDS,
    NO_FALLBACK, NO_ICMP, NO_LAST_QUARTER, NO_MIGRATION, NO_MULTICAST_V4, NO_MULTICAST_V6,
    NO_RESENDING,
};

macro_rules! entry {
    ($function:literal) => {
        hook(concat!("kprobe_", $function), $function, At::Entry)
    };
}

macro_rules! returning {
    ($function:literal) => {
        hook(concat!("kretprobe_", $function), $function, At::Return)
    };
}

/// All of them, in the order of [`super::HOOKS`].
pub(super) const KPROBES: &[Hook] = &[
    entry!("tcp_v4_syn_recv_sock"),
    entry!("tcp_v6_syn_recv_sock"),
    returning!("tcp_syn_flood_action"),
    entry!("inet_reqsk_alloc").required(),
    returning!("inet_reqsk_alloc")
        .without("SYNs refused for want of memory (shown as no_route_or_denied)"),
    returning!("tcp_peer_is_proven").without(NO_LAST_QUARTER),
    entry!("tcp_make_synack").required(),
    returning!("tcp_try_fastopen").required(),
    entry!("tcp_try_fastopen").without(NO_FALLBACK),
    entry!("inet_csk_reqsk_queue_hash_add").shape(Void),
    returning!("inet_csk_reqsk_queue_hash_add").shape(Value),
    entry!("inet_csk_reqsk_queue_add").without(NO_COOKIES),
    returning!("inet_csk_reqsk_queue_add").without(NO_COOKIES),
    entry!("tcp_create_openreq_child").required(),
    returning!("inet6_csk_route_req"),
    entry!("inet_csk_complete_hashdance").required(),
    entry!("__inet_csk_reqsk_queue_drop").without(NO_ENDS),
    returning!("__inet_csk_reqsk_queue_drop").without(NO_ENDS),
    entry!("tcp_oow_rate_limited").without(NO_DUPLICATES),
    entry!("tcp_rtx_synack").without(NO_RESENDING),
    returning!("tcp_rtx_synack").without(NO_RESENDING),
    returning!("__cookie_v4_check").without(NO_COOKIES),
    returning!("__cookie_v6_check"),
    entry!("inet_child_forget").without(NO_ABANDONED),
    entry!("inet_reqsk_clone").only_with("reuseport_migrate_sock").without(NO_MIGRATION),
    returning!("inet_reqsk_clone").only_with("reuseport_migrate_sock").without(NO_MIGRATION),
    returning!("inet_ehash_insert").only_with("reuseport_migrate_sock"),
    entry!("reuseport_migrate_sock").only_with("inet_reqsk_clone").without(NO_MIGRATION),
    returning!("reuseport_migrate_sock").only_with("inet_reqsk_clone").without(NO_MIGRATION),
    entry!("__sys_listen").without(NO_ASKED),
    entry!("security_sock_graft"),
    entry!("__inet_accept").unless("security_sock_graft"),
    entry!("inet_listen").unless("__inet_listen_sk").without(NO_BACKLOGS),
    returning!("inet_listen").unless("__inet_listen_sk").without(NO_BACKLOGS),
    entry!("__inet_listen_sk"),
    returning!("__inet_listen_sk"),
    entry!("inet_csk_listen_stop").without(NO_CLOSE),
    returning!("reqsk_timer_handler"),
    entry!("reqsk_timer_handler").without(NO_CAUSE),
    returning!("tcp_req_err"),
    entry!("tcp_req_err").without(NO_ICMP),
    entry!("tcp_v4_conn_request").without(NO_MULTICAST_V4),
    returning!("tcp_v4_conn_request").without(NO_MULTICAST_V4),
    entry!("tcp_v6_conn_request").without(NO_MULTICAST_V6),
    returning!("tcp_v6_conn_request").without(NO_MULTICAST_V6),
    entry!("subflow_v4_conn_request"),
    returning!("subflow_v4_conn_request"),
    entry!("subflow_v6_conn_request"),
    returning!("subflow_v6_conn_request"),
    returning!("cookie_v4_check").without(NO_COOKIES),
    entry!("cookie_v4_check").without(NO_COOKIES),
    returning!("cookie_v6_check"),
    entry!("cookie_v6_check"),
    returning!("tcp_check_req").required(),
    entry!("tcp_check_req").required(),
    returning!("tcp_conn_request").required(),
    entry!("tcp_conn_request").required(),
];
