//! The hooks of the kprobe tier.
//!
//! Return probes are only on short functions that run with bottom halves off: the kernel prepares as
//! many returns of a function as it has processors, and no more can be under way. `listen()` is the
//! exception: it can wait for a lock, and is too rare to matter. `accept()` is taken where it runs with
//! bottom halves off as well, see the kernel side's `graft`.

use super::Shape::{Value, Void};
use super::{At, Hook, hook};
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
    entry!("tcp_v4_syn_recv_sock").unless_slot_tells(),
    entry!("tcp_v6_syn_recv_sock").unless_slot_tells(),
    returning!("tcp_syn_flood_action"),
    entry!("inet_reqsk_alloc").required(),
    returning!("inet_reqsk_alloc"),
    returning!("tcp_peer_is_proven"),
    entry!("cookie_v4_init_sequence").required(),
    entry!("cookie_v6_init_sequence"),
    entry!("tcp_try_fastopen").required(),
    entry!("inet_csk_reqsk_queue_hash_add").shape(Void),
    returning!("inet_csk_reqsk_queue_hash_add").shape(Value),
    returning!("inet_csk_reqsk_queue_add").required(),
    entry!("tcp_create_openreq_child").unless_slot_tells(),
    returning!("inet6_csk_route_req").unless_slot_tells(),
    entry!("inet_csk_complete_hashdance").required(),
    entry!("__inet_csk_reqsk_queue_drop"),
    returning!("__inet_csk_reqsk_queue_drop"),
    entry!("tcp_oow_rate_limited"),
    entry!("tcp_rtx_synack"),
    returning!("tcp_rtx_synack"),
    returning!("__cookie_v4_check"),
    returning!("__cookie_v6_check"),
    entry!("inet_child_forget"),
    entry!("inet_reqsk_clone").only_with("reuseport_migrate_sock"),
    returning!("inet_reqsk_clone").only_with("reuseport_migrate_sock"),
    returning!("inet_ehash_insert").only_with("reuseport_migrate_sock").unless_slot_tells(),
    entry!("reuseport_migrate_sock").only_with("inet_reqsk_clone"),
    returning!("reuseport_migrate_sock").only_with("inet_reqsk_clone"),
    entry!("__sys_listen"),
    entry!("security_sock_graft"),
    entry!("__inet_accept").unless("security_sock_graft"),
    entry!("inet_listen").unless("__inet_listen_sk"),
    returning!("inet_listen").unless("__inet_listen_sk"),
    entry!("__inet_listen_sk"),
    returning!("__inet_listen_sk"),
    entry!("inet_csk_listen_stop"),
    returning!("reqsk_timer_handler"),
    entry!("reqsk_timer_handler"),
    returning!("tcp_req_err"),
    entry!("tcp_req_err"),
    entry!("tcp_v4_conn_request"),
    returning!("tcp_v4_conn_request"),
    entry!("tcp_v6_conn_request").joined(),
    returning!("tcp_v6_conn_request").joined(),
    entry!("subflow_v4_conn_request").joined(),
    returning!("subflow_v4_conn_request").joined(),
    entry!("subflow_v6_conn_request").joined(),
    returning!("subflow_v6_conn_request").joined(),
    returning!("cookie_v4_check"),
    entry!("cookie_v4_check"),
    returning!("cookie_v6_check"),
    entry!("cookie_v6_check"),
    returning!("tcp_check_req").required(),
    entry!("tcp_check_req").required(),
    returning!("tcp_conn_request").required(),
    entry!("tcp_conn_request").required(),
];
