//! The child is made: the accept queue had room.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use crate::pass::{self, seen};

#[fentry]
fn tcp_create_openreq_child_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::CHILD);
    0
}

#[kprobe]
fn kprobe_tcp_create_openreq_child(_ctx: ProbeContext) -> u32 {
    pass::note(seen::CHILD);
    0
}
