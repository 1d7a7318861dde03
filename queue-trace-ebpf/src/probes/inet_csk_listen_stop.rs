//! A listener closes.

use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};

use super::pointer;
use crate::listen;
use crate::memory::{Probed, Typed};

#[fentry]
fn listen_stop_enter(ctx: FEntryContext) -> i32 {
    listen::stopping::<Typed>(ctx.arg(0));
    0
}

#[kprobe]
fn kprobe_inet_csk_listen_stop(ctx: ProbeContext) -> u32 {
    listen::stopping::<Probed>(pointer(&ctx, 0));
    0
}
