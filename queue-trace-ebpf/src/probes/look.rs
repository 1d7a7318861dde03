//! No hook: user space runs this program (`BPF_PROG_TEST_RUN`, for this type from 5.10 on).

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::look;

#[raw_tracepoint]
fn look_at_queues(ctx: RawTracePointContext) -> i32 {
    look::at(ctx.arg(0));
    0
}
