//! The tracepoint `sched_switch`: a CPU goes on with another thread.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::scheduler;

#[raw_tracepoint(tracepoint = "sched_switch")]
fn sched_switch(ctx: RawTracePointContext) -> i32 {
    // Kernels from 5.18 on have a fourth argument, the state, which 5.10 has not.
    scheduler::switched(ctx.arg::<u64>(0) as u8 != 0, ctx.arg(1), ctx.arg(2));
    0
}
