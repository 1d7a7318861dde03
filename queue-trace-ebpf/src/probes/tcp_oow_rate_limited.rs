//! Asked before an out-of-window segment, a repeated SYN or a doubtful RST is answered.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use crate::pass::{self, seen};

#[fentry]
fn tcp_oow_rate_limited_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::OUT_OF_WINDOW);
    0
}

#[kprobe]
fn kprobe_tcp_oow_rate_limited(_ctx: ProbeContext) -> u32 {
    pass::note(seen::OUT_OF_WINDOW);
    0
}
