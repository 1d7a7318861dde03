//! A slab has no object left, and no page for more of them: within a SYN's pass the kernel wanted a request.
//!
//! Hooked where `inet_reqsk_alloc` is not: this one runs hardly ever, that one for each SYN.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::pass::{self, seen};

#[fentry]
fn slab_out_of_memory_enter(_ctx: FEntryContext) -> i32 {
    pass::note(seen::NO_MEMORY);
    0
}
