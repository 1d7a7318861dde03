//! The hooks: one kernel function, or one function per address family, a file.
//!
//! Each file holds two sets of programs over the same bodies, of which user space loads one: fentry and
//! fexit, and `kprobe_FUNCTION` and `kretprobe_FUNCTION`. A return probe is not given the function's
//! arguments: an entry probe keeps them in [`crate::pass::Kept`].

use aya_ebpf::programs::ProbeContext;

mod conn_request;
mod cookie_check;
mod cookie_init_sequence;
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
mod look;
mod proto_register;
mod reqsk_timer_handler;
mod reuseport_migrate;
mod sched_switch;
mod sched_wakeup;
mod security_sock_graft;
mod slab_out_of_memory;
mod syn_recv_sock;
mod sys_accept;
mod sys_listen;
mod tcp_check_req;
mod tcp_conn_request;
mod tcp_create_openreq_child;
mod tcp_get_syncookie_mss;
mod tcp_oow_rate_limited;
mod tcp_peer_is_proven;
mod tcp_req_err;
mod tcp_rtx_synack;
mod tcp_syn_flood_action;
mod tcp_try_fastopen;

/// An argument of a probed function, one of the first five: those are in registers everywhere.
#[inline(always)]
fn word(ctx: &ProbeContext, n: usize) -> u64 {
    ctx.arg(n).unwrap_or(0)
}

/// The same where it is a pointer.
#[inline(always)]
fn pointer(ctx: &ProbeContext, n: usize) -> *const u8 {
    word(ctx, n) as *const u8
}

/// The same where it is a bool, of which only the low byte is defined.
#[inline(always)]
fn truth(ctx: &ProbeContext, n: usize) -> bool {
    word(ctx, n) as u8 != 0
}
