//! The tracepoint `sched_wakeup`: a thread that slept is ready to run.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::scheduler;

#[raw_tracepoint(tracepoint = "sched_wakeup")]
fn sched_wakeup(ctx: RawTracePointContext) -> i32 {
    scheduler::woken(ctx.arg(0));
    0
}
