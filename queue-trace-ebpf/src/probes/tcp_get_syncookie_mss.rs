//! A BPF helper makes a cookie for a program, and counts as if a SYN had come to the listener.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::pass;

#[fentry]
fn tcp_get_syncookie_mss_enter(_ctx: FEntryContext) -> i32 {
    if let Some(pass) = pass::current() {
        pass.ledgers.void();
    }
    0
}
