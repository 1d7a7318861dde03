//! A cookie is made, for a SYN-ACK that nothing will remember; `SyncookiesSent` is raised just before (up to
//! 6.12) or somewhat later.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use crate::syn;

#[fentry]
fn cookie_v4_init_enter(_ctx: FEntryContext) -> i32 {
    syn::makes_cookie();
    0
}

#[fentry]
fn cookie_v6_init_enter(_ctx: FEntryContext) -> i32 {
    syn::makes_cookie();
    0
}

#[kprobe]
fn kprobe_cookie_v4_init_sequence(_ctx: ProbeContext) -> u32 {
    syn::makes_cookie();
    0
}

#[kprobe]
fn kprobe_cookie_v6_init_sequence(_ctx: ProbeContext) -> u32 {
    syn::makes_cookie();
    0
}
