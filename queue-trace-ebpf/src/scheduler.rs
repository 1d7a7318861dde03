//! How the threads of watched processes spend their time. The scheduler switches all the time: only `doctor`, which
//! runs for a while, attaches this.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use queue_trace_common::{Doing, ThreadTimes};

use crate::config::offset;
use crate::memory::{Memory, Probed};

/// The processes to watch; user space fills it, and sets the sizes of both maps.
#[map]
static WATCHED: HashMap<u32, u8> = HashMap::with_max_entries(1, 0);

/// Their threads. Those that are there at the beginning user space puts in, with what they do then.
#[map]
static THREADS: HashMap<u32, ThreadTimes> = HashMap::with_max_entries(1, 0);

/// `BPF_NOEXIST`.
const NEW_ONLY: u64 = 1;

// Bits of `task_struct.__state`, the same in all kernels.
const INTERRUPTIBLE: u32 = 0x1;
const UNINTERRUPTIBLE: u32 = 0x2;
/// It stops, is traced, or ends.
const GONE: u32 = 0x4 | 0x8 | 0x10 | 0x20 | 0x80;
/// With [`UNINTERRUPTIBLE`]: it has nothing to do (`TASK_IDLE`).
const NO_LOAD: u32 = 0x400;

/// The current thread gives its CPU to another one. `preempted`: it would have gone on.
#[inline(always)]
pub fn switched(preempted: bool, previous: *const u8, next: *const u8) {
    // SAFETY: the helpers have no preconditions.
    let (current, now) = (bpf_get_current_pid_tgid(), unsafe { bpf_ktime_get_ns() });
    let (tgid, tid) = ((current >> 32) as u32, current as u32);
    // SAFETY: read by helper. Older kernels have a long there, of which the lower half is enough.
    let state: u32 = unsafe { Probed::read(previous, offset!(task_state)) };
    let doing = if preempted { Doing::Ready } else { doing(state) };
    match THREADS.get_ptr_mut(tid) {
        // Whatever was thought: it has run.
        // SAFETY: a thread is switched on one CPU at a time.
        Some(thread) => unsafe { (*thread).change(Doing::Running, now, doing) },
        None => begin(tgid, tid, now, doing),
    }
    // SAFETY: read by helper.
    if let Some(thread) = THREADS.get_ptr_mut(unsafe { id(next) }) {
        // SAFETY: as above.
        unsafe {
            let did = match (*thread).doing() {
                Doing::Unknown => Doing::Ready,
                did => did,
            };
            (*thread).change(did, now, Doing::Running);
        }
    }
}

/// A thread is ready to run.
#[inline(always)]
pub fn woken(task: *const u8) {
    // SAFETY: read by helper.
    let Some(thread) = THREADS.get_ptr_mut(unsafe { id(task) }) else { return };
    // SAFETY: a thread that sleeps is switched only when it is awake.
    unsafe {
        let did = (*thread).doing();
        // One that was about to sleep runs still.
        if matches!(did, Doing::Sleeping | Doing::Blocked | Doing::Other) {
            (*thread).change(did, bpf_ktime_get_ns(), Doing::Ready);
        }
    }
}

/// A thread of a watched process that is new.
#[inline(always)]
fn begin(tgid: u32, tid: u32, now: u64, doing: Doing) {
    if WATCHED.get_ptr(tgid).is_some() {
        let thread = ThreadTimes {
            tgid,
            doing: doing as u32,
            since_ns: now,
            ran_ns: 0,
            ready_ns: 0,
            slept_ns: 0,
            blocked_ns: 0,
        };
        // Without room it stays out of the account.
        let _ = THREADS.insert(tid, thread, NEW_ONLY);
    }
}

#[inline(always)]
fn doing(state: u32) -> Doing {
    if state & GONE != 0 {
        Doing::Other
    } else if state & UNINTERRUPTIBLE != 0 {
        if state & NO_LOAD != 0 { Doing::Other } else { Doing::Blocked }
    } else if state & INTERRUPTIBLE != 0 {
        Doing::Sleeping
    } else {
        Doing::Ready
    }
}

/// The number of a thread.
///
/// # Safety
/// `task` must be a `struct task_struct`.
#[inline(always)]
unsafe fn id(task: *const u8) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { Probed::read(task, offset!(task_pid)) }
}
