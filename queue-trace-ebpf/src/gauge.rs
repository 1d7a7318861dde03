//! How long the queues are full.
//!
//! A queue becomes full only when something enters it and stops being full only when something leaves,
//! so the state is written at those two moments and only when it changes. Two CPUs can do so at the
//! same time: whoever enters looks again after having written, so a queue is never left marked as full
//! that is not; what can be off is the few hundred nanoseconds in between.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use queue_trace_common::FullTime;

use crate::config::{member, offset};
use crate::listener::Listener;
use crate::maps;
use crate::memory::Memory;

/// The two queues of a listener.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Established, not yet accepted.
    Accept,
    /// Half-open requests.
    Syn,
}

/// The depth of a queue and the limit above which it is full.
///
/// # Safety
/// `sk` must be a listening socket.
#[inline(always)]
unsafe fn depth<M: Memory>(sk: *const u8, queue: Queue) -> (u32, u32) {
    // SAFETY: the caller's promise.
    unsafe {
        let limit = member!(M, sk, limit);
        match queue {
            Queue::Accept => (member!(M, sk, accept_depth), limit),
            Queue::Syn => (syn_depth::<M>(sk), limit),
        }
    }
}

/// The depth of the accept queue, and the limit of both: neighbours, in one read where reading is dear.
///
/// # Safety
/// `sk` must be a listening socket.
#[inline(always)]
pub unsafe fn accept_depth<M: Memory>(sk: *const u8) -> (u32, u32) {
    // SAFETY: the caller's promise.
    unsafe {
        if !M::DIRECT && offset!(limit) == offset!(accept_depth) + size_of::<u32>() {
            let [depth, limit] = member!(M, sk, accept_depth);
            return (depth, limit);
        }
        (member!(M, sk, accept_depth), member!(M, sk, limit))
    }
}

/// The depth of the SYN queue.
///
/// From 5.14 on the kernel takes one away from the wrong listener when a RST ends a request that it is
/// about to migrate, and from none that makes -1 (`tcp_check_req` gives `inet_csk_reqsk_queue_drop` the
/// new listener). That is none, too.
///
/// # Safety
/// `sk` must be a listening socket.
#[inline(always)]
pub unsafe fn syn_depth<M: Memory>(sk: *const u8) -> u32 {
    // SAFETY: the caller's promise.
    let depth: i32 = unsafe { M::read_tcp(sk, offset!(syn_depth)) };
    if depth < 0 { 0 } else { depth as u32 }
}

/// Something entered the queue: its peak, also of this period, and the beginning of a time when it is full.
#[inline(always)]
pub fn entered<M: Memory>(listener: Listener, period: u32, sk: *const u8, queue: Queue) {
    deepened::<M>(listener, period, sk, queue, 0);
}

/// The same just before it enters.
#[inline(always)]
pub fn entering<M: Memory>(listener: Listener, period: u32, sk: *const u8, queue: Queue) {
    deepened::<M>(listener, period, sk, queue, 1);
}

#[inline(always)]
fn deepened<M: Memory>(listener: Listener, period: u32, sk: *const u8, queue: Queue, coming: u32) {
    // SAFETY: the caller has a listening socket.
    let (now_deep, limit) = unsafe { depth::<M>(sk, queue) };
    let now_deep = now_deep + coming;
    if let Some(counters) = listener.counters() {
        // SAFETY: this CPU's own value.
        let counters = unsafe { &mut *counters };
        if counters.period != period {
            counters.period = period;
            (counters.recent_accept_peak, counters.recent_syn_peak) = (0, 0);
        }
        let (peak, recent) = match queue {
            Queue::Accept => (&mut counters.accept_peak, &mut counters.recent_accept_peak),
            Queue::Syn => (&mut counters.syn_peak, &mut counters.recent_syn_peak),
        };
        if now_deep > *recent {
            *recent = now_deep;
            if now_deep > *peak {
                *peak = now_deep;
            }
        }
    }
    if now_deep <= limit {
        return;
    }
    let Some((since, _)) = state(listener, queue) else { return };
    maps::full();
    // SAFETY: aligned words of a map that others write too (module comment).
    unsafe {
        if since.read_volatile() != 0 {
            return;
        }
        since.write_volatile(bpf_ktime_get_ns());
        let (deep, limit) = depth::<M>(sk, queue);
        if deep + coming <= limit {
            since.write_volatile(0);
        }
    }
}

/// Something left the queue: the end of a time when it was full.
#[inline(always)]
pub fn left<M: Memory>(listener: Listener, sk: *const u8, queue: Queue) {
    // Asked now, and not when the pass began: before it becomes full, the kernel has taken away what left.
    if !maps::ever_full() {
        return;
    }
    let Some((since, total)) = state(listener, queue) else { return };
    // SAFETY: aligned words of a map that others write too (module comment).
    unsafe {
        let began = since.read_volatile();
        if began == 0 {
            return;
        }
        let (deep, limit) = depth::<M>(sk, queue);
        if deep <= limit {
            since.write_volatile(0);
            total.write_volatile(total.read_volatile() + bpf_ktime_get_ns().saturating_sub(began));
        }
    }
}

/// Where the beginning and the sum of a queue's full time stand.
#[inline(always)]
fn state(listener: Listener, queue: Queue) -> Option<(*mut u64, *mut u64)> {
    let times: *mut FullTime = maps::FULL_TIME.get_ptr_mut(listener.slot)?;
    // SAFETY: members of a value that lives as long as the map.
    unsafe {
        Some(match queue {
            Queue::Accept => (&raw mut (*times).accept_since_ns, &raw mut (*times).accept_ns),
            Queue::Syn => (&raw mut (*times).syn_since_ns, &raw mut (*times).syn_ns),
        })
    }
}
