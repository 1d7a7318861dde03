//! Who accepts: of a listener that several processes hold, how many connections each of them took. Only where
//! user space asks for it, because it costs a lookup with each connection.

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, Queue};
use queue_trace_common::{Fault, WorkerInfo};

use crate::config::config;
use crate::listener::Listener;
use crate::maps;

/// Where a process is in `WORKERS`, by [`WorkerInfo::key`]. User space sets the sizes of these maps.
#[map]
static WORKER_INDEX: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);

/// The processes. Apart from their index, because what is mapped into user space is read without a call.
#[map]
static WORKERS: Array<WorkerInfo> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// How many connections each of them accepted on each CPU, those of one CPU together: threads of a process
/// accept on several at once.
#[map]
static WORKER_ACCEPTS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Entries of `WORKERS` that are nobody's; user space fills it and gives entries back.
#[map]
static FREE_WORKERS: Queue<u32> = Queue::with_max_entries(1, 0);

/// `BPF_NOEXIST`.
const NEW_ONLY: u64 = 1;

/// The current process accepted a connection of this listener.
#[inline(always)]
pub fn accepted(listener: Listener) {
    if config!(workers) == 0 {
        return;
    }
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let key = WorkerInfo::key(listener.slot, pid);
    let Some(index) = index(key).or_else(|| enroll(key, listener.slot, pid)) else {
        maps::fault(Fault::WorkersExhausted);
        return;
    };
    let own = maps::this_cpu() * config!(workers) + index;
    if let Some(accepts) = WORKER_ACCEPTS.get_ptr_mut(own) {
        // SAFETY: this CPU's own value.
        unsafe { *accepts += 1 };
    }
}

#[inline(always)]
fn index(key: u64) -> Option<u32> {
    // SAFETY: the value is read at once.
    unsafe { WORKER_INDEX.get(key) }.copied()
}

/// Gives a process an entry; the one that another thread of it has just been given, if that was faster.
#[inline(always)]
fn enroll(key: u64, slot: u32, pid: u32) -> Option<u32> {
    let free = FREE_WORKERS.pop().ok().flatten()?;
    let worker = WORKERS.get_ptr_mut(free)?;
    let comm = bpf_get_current_comm().unwrap_or_default();
    // SAFETY: an entry taken from the queue is nobody else's.
    unsafe { worker.write(WorkerInfo { slot, pid, comm }) };
    if WORKER_INDEX.insert(key, free, NEW_ONLY).is_ok() {
        return Some(free);
    }
    // SAFETY: as above.
    unsafe { (*worker).pid = 0 };
    let _ = FREE_WORKERS.push(free, 0);
    index(key)
}
