//! The child is made: the accept queue had room.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::pass::{self, seen};

#[fentry]
fn tcp_create_openreq_child_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::CHILD);
    0
}
