//! The hooks: one kernel function, or one function per address family, a file.

mod conn_request;
mod cookie_check;
mod inet6_csk_route_req;
mod inet_accept;
mod inet_child_forget;
mod inet_csk_accept;
mod inet_csk_complete_hashdance;
mod inet_csk_listen_stop;
mod inet_csk_reqsk_queue_add;
mod inet_csk_reqsk_queue_drop;
mod inet_csk_reqsk_queue_hash_add;
mod inet_listen;
mod inet_reqsk_alloc;
mod reqsk_timer_handler;
mod security_sock_graft;
mod syn_recv_sock;
mod tcp_check_req;
mod tcp_conn_request;
mod tcp_create_openreq_child;
mod tcp_make_synack;
mod tcp_oow_rate_limited;
mod tcp_peer_is_proven;
mod tcp_req_err;
mod tcp_rtx_synack;
mod tcp_syn_flood_action;
mod tcp_try_fastopen;
