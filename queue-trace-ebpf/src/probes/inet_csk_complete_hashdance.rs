//! An ordinary handshake ends. From 6.1 on this, and not `inet_csk_reqsk_queue_add`, is the function
//! that is really called.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{ack, memory::Typed};

#[fentry]
fn hashdance_enter(ctx: FEntryContext) -> i32 {
    let own: u8 = ctx.arg(3);
    ack::hashdance::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2), own != 0);
    0
}
