//! The request is allocated: the SYN got past both full-queue tests.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::pass::{self, seen};

#[fexit]
fn inet_reqsk_alloc_leave(ctx: FExitContext) -> i32 {
    let request: u64 = ctx.arg(3);
    pass::note(if request == 0 { seen::ALLOCATED | seen::NO_MEMORY } else { seen::ALLOCATED });
    0
}
