//! A cookie is made, for a SYN-ACK that nothing will remember: where `SyncookiesSent` is raised.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use crate::pass::{self, seen};

#[fentry]
fn cookie_v4_init_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::COOKIE_SYNACK);
    0
}

#[fentry]
fn cookie_v6_init_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::COOKIE_SYNACK);
    0
}

#[kprobe]
fn kprobe_cookie_v4_init_sequence(_ctx: ProbeContext) -> u32 {
    pass::note(seen::COOKIE_SYNACK);
    0
}

#[kprobe]
fn kprobe_cookie_v6_init_sequence(_ctx: ProbeContext) -> u32 {
    pass::note(seen::COOKIE_SYNACK);
    0
}
