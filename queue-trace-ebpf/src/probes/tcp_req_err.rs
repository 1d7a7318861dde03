//! An ICMP error about a half-open request.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

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
