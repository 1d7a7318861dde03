//! Kernel side of queue-trace: what becomes of every SYN, final ACK, SYN cookie and `accept()`, for
//! each listening socket.
//!
//! `probes` holds the thin entry points, one kernel function a file; what they mean stands in `syn`,
//! `ack`, `cookie`, `half_open`, `accept` and `listen`, written over [`memory::Memory`] so that the
//! same bodies serve typed loads and helper reads.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![allow(internal_features, reason = "what the compiler knows need not be shown to the verifier")]
#![allow(unreachable_pub, reason = "`pub` marks what the other modules of this program may use")]

mod accept;
mod accept_error;
mod ack;
mod config;
mod cookie;
mod entry;
mod fastopen;
mod flow;
mod gauge;
mod graft;
mod half_open;
mod ledger;
mod listen;
mod listener;
mod look;
mod maps;
mod memory;
mod mib;
mod migrate;
mod packet;
mod pass;
#[allow(non_snake_case, reason = "programs are named after kernel functions")]
mod probes;
mod progress;
mod report;
mod ring;
mod scheduler;
mod syn;
mod workers;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // The verifier would refuse a reachable panic; this only satisfies the compiler.
    loop {}
}

/// The kernel offers its tracing helpers to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
