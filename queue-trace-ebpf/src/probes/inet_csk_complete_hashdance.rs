//! An ordinary handshake ends. From 6.1 on this, and not `inet_csk_reqsk_queue_add`, is the function
//! that is really called.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::{pointer, truth};
use crate::ack;
use crate::memory::{Probed, Typed};

#[fentry]
fn hashdance_enter(ctx: FEntryContext) -> i32 {
    let own: u8 = ctx.arg(3);
    ack::hashdance::<Typed>(ctx.arg(2), own != 0);
    0
}

#[kprobe]
fn kprobe_inet_csk_complete_hashdance(ctx: ProbeContext) -> u32 {
    ack::hashdance::<Probed>(pointer(&ctx, 2), truth(&ctx, 3));
    0
}
