//! Accepted connections, taken where they get their `struct socket` (`security_sock_graft`).
//!
//! Not in `__inet_accept` or at the return of `inet_csk_accept`, because here bottom halves are off. There
//! the kernel can be preempted, and while one task is in the middle of a program, the kernel skips it for
//! every other task on the same CPU. And a kprobe program that an interrupt finds running makes the kernel
//! skip all kprobe programs in the softirq that follows, with every SYN in it; `accept()` is the only call
//! of ours that is made often enough for that to matter. The price: the listener is not at hand.

use aya_ebpf::helpers::generated::bpf_get_current_task;

use crate::config::{config, has, member, offset};
use crate::listener::{self, Listener};
use crate::memory::{Memory, Probed};
use crate::pass::{self, Pass};
use crate::{accept, accept_error, maps};

/// `IPPROTO_TCP`.
const TCP: u16 = 6;

/// `accept()` has taken a child from this listener: told to [`accepted`], which follows on the same CPU
/// unless the task is preempted in between.
#[inline(always)]
pub fn taken<M: Memory>(sk: *const u8, child: *const u8) {
    if config!(no_graft) != 0 {
        let sk = accept::subflow::<M>(sk);
        if maps::armed()
            && !child.is_null()
            && let Some(pass) = pass::current()
        {
            let subflow = accept::subflow::<Probed>(child);
            if protocol::<Probed>(subflow) == TCP {
                accept::accepted::<Probed>(pass, listener::find::<Probed>(sk), sk, subflow);
            }
        }
    } else if let Some(pass) = pass::current() {
        pass.taken = [sk as u64, child as u64];
    }
}

/// A child gets its socket.
#[inline(always)]
pub fn accepted<M: Memory>(child: *const u8) {
    let (Some(now), Some(pass)) = (maps::counting(), pass::current()) else { return };
    // Sockets of other protocols are accepted and grafted too.
    let protocol = protocol::<M>(child);
    if protocol == TCP {
        let sk = seek(pass, now.closings, child, child);
        let (listener, sk) = found(pass, sk);
        accept::accepted::<M>(pass, listener, sk, child);
    } else if has!(first_subflow) && protocol == accept::MPTCP {
        let subflow = accept::first_subflow(child);
        let sk = seek(pass, now.closings, child, subflow);
        let (listener, sk) = found(pass, sk);
        accept::accepted::<Probed>(pass, listener, sk, subflow);
    }
}

/// The listener that [`seek`] has found, and its socket; by way of memory, as [`listener::Last::listener`].
#[inline(always)]
fn found(pass: &mut Pass, sk: *const u8) -> (Listener, *const u8) {
    let place = &raw mut pass.found;
    // SAFETY: a member of a reference.
    let sk = unsafe {
        place.write_volatile(sk as u64);
        place.read_volatile()
    };
    (pass.last.listener(), sk as *const u8)
}

/// Makes the listener that a child was taken from the last one of the pass, and gives its socket; `subflow` is the child's
/// TCP socket.
#[inline(always)]
fn seek(pass: &mut Pass, closings: u64, child: *const u8, subflow: *const u8) -> *const u8 {
    let [sk, taken] = pass.taken;
    let sk = if taken == child as u64 {
        // The next child at this address may be another listener's.
        pass.taken[1] = 0;
        sk as *const u8
    } else {
        caller(subflow).unwrap_or(core::ptr::null())
    };
    if sk.is_null() {
        pass.last.seek_rest();
        return sk;
    }
    if pass.last.is_of(sk, closings) {
        return sk;
    }
    // That of an MPTCP listener is another socket.
    let sk = accept::subflow::<Probed>(sk);
    if !pass.last.is_of(sk, closings) {
        pass.last.seek::<Probed>(sk, closings);
    }
    sk
}

#[inline(always)]
fn protocol<M: Memory>(child: *const u8) -> u16 {
    // SAFETY: `child` is a socket.
    unsafe { member!(M, child, protocol) }
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
        let sk = accept::subflow::<Probed>(sk);
        let port: u16 = Probed::read(child, offset!(local_port));
        // A child that its client has reset has no port any more.
        (port == 0 || port == Probed::read(sk, offset!(local_port))).then_some(sk)
    }
}
