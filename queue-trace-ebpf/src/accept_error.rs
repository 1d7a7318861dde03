//! `accept()` that returns an error, at the listener that it was called on.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use queue_trace_common::Outcome;

use crate::config::{has, offset};
use crate::memory::{Memory, Probed};
use crate::{accept, listener, maps, report};

/// `TCP_LISTEN`, `IPPROTO_TCP`.
const TCP_LISTEN: u8 = 10;
const TCP: u16 = 6;
/// Error numbers, the same on all architectures.
const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
/// `ERESTARTSYS`, which user space sees as `EINTR` or as a call begun again.
const ERESTARTSYS: i32 = 512;

/// The system call returns; `descriptor` is the listener's.
#[inline(always)]
pub fn returned(descriptor: u32, result: i32) {
    if result >= 0 || !maps::armed() || !has!(task_files) {
        return;
    }
    let Some(sk) = listener_of(descriptor) else { return };
    let outcome = match -result {
        EMFILE => Outcome::AcceptEmfile,
        ENFILE => Outcome::AcceptEnfile,
        EAGAIN => Outcome::AcceptEagain,
        EINTR | ERESTARTSYS => Outcome::AcceptEintr,
        _ => Outcome::AcceptOther,
    };
    report::report_in_process::<Probed>(listener::find::<Probed>(sk), sk, outcome, |record| {
        report::set_process(record);
        record.detail = result.unsigned_abs();
    });
}

/// The TCP listener behind a descriptor of the calling process.
#[inline(always)]
pub fn listener_of(descriptor: u32) -> Option<*const u8> {
    // SAFETY: every pointer is read by helper, and a wrong one reads as zero.
    unsafe {
        let task = bpf_get_current_task() as *const u8;
        let files = pointer(task, offset!(task_files));
        let table = pointer(files, offset!(files_table));
        let entries = pointer(table, offset!(table_files));
        let file = pointer(entries, descriptor as usize * size_of::<u64>());
        let socket = pointer(file, offset!(file_private));
        let sk = accept::subflow::<Probed>(pointer(socket, offset!(socket_sk)));
        let state: u8 = Probed::read(sk, offset!(state));
        let family: u16 = Probed::read(sk, offset!(family));
        let protocol: u16 = Probed::read(sk, offset!(protocol));
        let inet = family == 2 || family == crate::packet::AF_INET6;
        (state == TCP_LISTEN && inet && (protocol == TCP || protocol == accept::MPTCP))
            .then_some(sk)
    }
}

/// The pointer at `base + offset`.
#[inline(always)]
unsafe fn pointer(base: *const u8, offset: usize) -> *const u8 {
    // SAFETY: read by helper.
    unsafe { Probed::read::<u64>(base, offset) as *const u8 }
}
