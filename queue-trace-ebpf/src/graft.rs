//! Accepted connections, taken where they get their `struct socket` (`security_sock_graft`).
//!
//! The kprobe tier takes them here and not in `__inet_accept`, because here bottom halves are off. A
//! kprobe program that an interrupt finds running makes the kernel skip all kprobe programs in the
//! softirq that follows, with every SYN in it; `accept()` is the only call of ours that is made often
//! enough for that to matter. The price: the listener is not at hand.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use queue_trace_common::Outcome;

use crate::config::{has, offset};
use crate::gauge::{self, Queue};
use crate::listener::Listener;
use crate::memory::{Memory, Probed};
use crate::{accept, accept_error, maps, stamp};

/// `IPPROTO_TCP`.
const TCP: u16 = 6;

/// A child gets its socket. A stamp names its listener; without one, it had entered the queue before
/// we came.
#[inline(always)]
pub fn accepted(child: *const u8) {
    if !maps::armed() {
        return;
    }
    let child = accept::subflow(child);
    if !waited(child) && is_tcp(child) {
        match caller(child) {
            Some(sk) => accept::accepted::<Probed>(sk, child),
            None => {
                accept::tell::<Probed>(Listener::REST, child, child, 0, Outcome::AcceptedUntimed)
            }
        }
    }
}

/// The same for the fentry tier, where `__inet_accept` has been before and knows the listener. There the
/// kernel can be preempted (7.x), and while one task is in the middle of that program, the kernel skips
/// it for every other task on the same CPU; not so here, with bottom halves off. On 5.10 this sees what
/// a thread accepts that was blocked in `accept()` when we attached.
#[inline(always)]
pub fn left_over(child: *const u8) {
    if maps::armed() {
        waited(accept::subflow(child));
    }
}

/// A child that has its stamp still is counted.
#[inline(always)]
fn waited(child: *const u8) -> bool {
    let Some(stamp) = stamp::take(child) else { return false };
    let listener = Listener { slot: stamp.slot, flags: stamp.flags };
    let sk = socket(listener);
    gauge::left::<Probed>(listener, sk, Queue::Accept);
    let wait_ns = stamp::age_ns(&stamp);
    accept::tell::<Probed>(listener, sk, child, wait_ns, Outcome::Accepted);
    true
}

/// The socket of a listener, which still listens: it is being accepted from.
#[inline(always)]
fn socket(listener: Listener) -> *const u8 {
    let info = maps::LISTENER_INFO.get(listener.slot);
    info.map_or(core::ptr::null(), |info| info.socket as *const u8)
}

/// Sockets of other protocols are accepted and grafted too.
#[inline(always)]
fn is_tcp(child: *const u8) -> bool {
    // SAFETY: read by helper; `child` is a socket.
    unsafe { Probed::read::<u16>(child, offset!(protocol)) == TCP }
}

/// The listener that the current task calls `accept()` on: the call's first argument is its
/// descriptor, and lies at the end of the task's kernel stack. Nothing, if that leads to no listener
/// of the child's port: io_uring, and the kernel's own servers, accept without that call.
#[inline(always)]
fn caller(child: *const u8) -> Option<*const u8> {
    if !has!(task_stack) || !has!(call_argument) || !has!(task_files) {
        return None;
    }
    // SAFETY: read by helper; a wrong address reads as zero.
    unsafe {
        let task = bpf_get_current_task() as *const u8;
        let stack = Probed::read::<u64>(task, offset!(task_stack)) as *const u8;
        let sk = accept_error::listener_of(Probed::read(stack, offset!(call_argument)))?;
        let port: u16 = Probed::read(child, offset!(local_port));
        // A child that its client has reset has no port any more.
        (port == 0 || port == Probed::read(sk, offset!(local_port))).then_some(sk)
    }
}
