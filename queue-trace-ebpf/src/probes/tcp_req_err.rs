//! An ICMP error about a half-open request.

use aya_ebpf::macros::{fentry, fexit, kprobe, kretprobe};
use aya_ebpf::programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext};

use crate::half_open;

#[fentry]
fn tcp_req_err_enter(_ctx: FEntryContext) -> i32 {
    half_open::icmp_error();
    0
}

#[fexit]
fn tcp_req_err_leave(_ctx: FExitContext) -> i32 {
    half_open::icmp_done();
    0
}

#[kprobe]
fn kprobe_tcp_req_err(_ctx: ProbeContext) -> u32 {
    half_open::icmp_error();
    0
}

#[kretprobe]
fn kretprobe_tcp_req_err(_ctx: RetProbeContext) -> u32 {
    half_open::icmp_done();
    0
}
