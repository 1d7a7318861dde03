//! The kernel tries to make a child. Seven arguments on 6.1 (from 6.1.188) and from 6.12 on; more than
//! six cannot be hooked on 5.10 and 6.1.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use crate::pass::{self, seen};

#[fentry]
fn tcp_v4_syn_recv_sock_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::SYN_RECV_SOCK);
    0
}

#[fentry]
fn tcp_v6_syn_recv_sock_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::SYN_RECV_SOCK);
    0
}

/// Any number of arguments can be probed.
#[kprobe]
fn kprobe_tcp_v4_syn_recv_sock(_ctx: ProbeContext) -> u32 {
    pass::note(seen::SYN_RECV_SOCK);
    0
}

#[kprobe]
fn kprobe_tcp_v6_syn_recv_sock(_ctx: ProbeContext) -> u32 {
    pass::note(seen::SYN_RECV_SOCK);
    0
}
