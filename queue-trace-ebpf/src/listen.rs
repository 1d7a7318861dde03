//! Listeners that come, change their backlog, and go. Process context.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use queue_trace_common::{ListenerInfo, MISSING, NOT_SEEN, Outcome};

use crate::config::{has, member, offset};
use crate::listener::{self, Opener};
use crate::memory::{Memory, Probed};
use crate::{maps, report};

/// What a thread asks `listen()` for, and since when.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Asked {
    /// When it called, on the monotonic clock.
    pub time_ns: u64,
    /// The backlog.
    pub backlog: u32,
    /// Filler.
    pub reserved: u32,
}

/// A thread asks `listen()` for a backlog; the kernel clamps it before any function sees the socket.
#[inline(always)]
pub fn asks(backlog: u32) {
    if maps::armed() {
        // A full map forgets the oldest, whose call has long returned.
        // SAFETY: the helper has no preconditions.
        let asked = Asked { time_ns: unsafe { bpf_ktime_get_ns() }, backlog, reserved: 0 };
        let _ = maps::ASKED.insert(bpf_get_current_pid_tgid(), asked, 0);
    }
}

/// What the calling thread asked for; [`NOT_SEEN`], and never, if we did not see it.
#[inline(always)]
fn asked() -> (u64, u32) {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes its entry.
    let asked = unsafe { maps::ASKED.get(thread) };
    let asked = asked.map_or((u64::MAX, NOT_SEEN), |asked| (asked.time_ns, asked.backlog));
    let _ = maps::ASKED.remove(thread);
    asked
}

/// `net.core.somaxconn` of the socket's namespace, now.
#[inline(always)]
fn somaxconn<M: Memory>(sk: *const u8) -> u32 {
    if !has!(somaxconn) {
        return MISSING;
    }
    // SAFETY: `sk` is a socket.
    unsafe {
        let net = member!(M, sk, net: u64) as *const u8;
        Probed::read(net, offset!(somaxconn))
    }
}

/// `listen()` is being called on this socket; for [`returned`], which is not told.
#[inline(always)]
pub fn listening(sk: *const u8) {
    if maps::armed() {
        // As for `ASKED`.
        let _ = maps::LISTENING.insert(bpf_get_current_pid_tgid(), sk as u64, 0);
    }
}

/// `listen()` returns to the thread.
#[inline(always)]
pub fn returned(result: i32) {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread writes its entry.
    let Some(sk) = unsafe { maps::LISTENING.get(thread) }.copied() else { return };
    let _ = maps::LISTENING.remove(thread);
    if result == 0 {
        listened::<Probed>(sk as *const u8);
    }
}

/// `listen()` succeeded.
#[inline(always)]
pub fn listened<M: Memory>(sk: *const u8) {
    if !maps::armed() {
        return;
    }
    let (called_ns, asked) = asked();
    let opener = Opener {
        pid: (bpf_get_current_pid_tgid() >> 32) as u32,
        comm: bpf_get_current_comm().unwrap_or_default(),
    };
    let known = listener::known(sk);
    let listener = known.unwrap_or_else(|| listener::open::<M>(sk, &opener));
    let Some(info) = maps::LISTENER_INFO.get_ptr_mut(listener.slot) else { return };
    // SAFETY: as in `granted`. A SYN that came before `listen()` returned has opened the slot.
    let overtaken = unsafe { (*info).opened_ns } >= called_ns;
    if overtaken {
        // SAFETY: as above.
        unsafe { ((*info).pid, (*info).comm) = (opener.pid, opener.comm) };
    }
    // SAFETY: aligned words, written under the socket's lock.
    let former = unsafe { granted::<M>(sk, &mut *info, asked) };
    // SAFETY: as above. The record has its own copy: the next call changes the slot's.
    let somaxconn = unsafe { (*info).somaxconn };
    let again = known.is_some() && !overtaken;
    let outcome = if again { Outcome::BacklogChanged } else { Outcome::Listen };
    report::report_in_process::<M>(listener, sk, outcome, |record| {
        report::set_process(record);
        record.detail = former;
        record.duration_ns = u64::from(asked) | u64::from(somaxconn) << 32;
    });
}

/// Writes down what was asked for and what the kernel made of it; the limit before.
#[inline(always)]
unsafe fn granted<M: Memory>(sk: *const u8, info: &mut ListenerInfo, asked: u32) -> u32 {
    let former = info.limit;
    // SAFETY: `sk` is a listening socket.
    info.limit = unsafe { member!(M, sk, limit) };
    info.asked = asked;
    info.somaxconn = somaxconn::<M>(sk);
    former
}

/// `inet_csk_listen_stop` begins: the socket has left LISTEN.
#[inline(always)]
pub fn stopping<M: Memory>(sk: *const u8) {
    if !maps::armed() {
        return;
    }
    // A listener that was never met gets its entry now, so that its close is told.
    let listener =
        listener::known(sk).unwrap_or_else(|| listener::open::<M>(sk, &Opener::default()));
    listener::close(sk, listener);
    report::report_in_process::<M>(listener, sk, Outcome::Close, report::set_process);
}
