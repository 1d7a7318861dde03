//! A protocol comes: one that has half-open requests, as DCCP does, raises TCP's counters outside of our passes.
//!
//! Hooked where requests that are queued outside of passes are not seen.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::config::member;
use crate::maps;
use crate::memory::{Memory, Typed};

#[fentry]
fn proto_register_enter(ctx: FEntryContext) -> i32 {
    // SAFETY: the argument is a `struct proto`.
    let requests: u64 = unsafe { member!(Typed, ctx.arg(0), request_protocol) };
    if requests != 0 {
        maps::share();
    }
    0
}
