//! The maps, their sizes and why.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, Queue, RingBuf};
use queue_trace_common::{Counters, Fault, FullTime, ListenerInfo, ListenerRef, Outcome, Record};

use crate::listen::Asked;
use crate::pass::Pass;

/// Listeners by the kernel address of their socket. User space sets the size to the number of slots
/// and as many again, because a closed listener keeps its entry until its last half-open request
/// can have died.
#[map]
pub static LISTENERS: HashMap<u64, ListenerRef> = HashMap::with_max_entries(2048, 0);

/// Who the listener of a slot is. Slot 0 stands for all that found no slot.
#[map]
pub static LISTENER_INFO: Array<ListenerInfo> = Array::with_max_entries(1024, 0);

/// What happened at the listener of a slot, for each CPU by itself: nothing shared is written when a
/// SYN comes in.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1024, 0);

/// How long the queues of a slot's listener were full.
#[map]
pub static FULL_TIME: Array<FullTime> = Array::with_max_entries(1024, 0);

/// The backlog that a thread is asking `listen()` for, by thread; an entry lives for one call.
#[map]
pub static ASKED: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(1024, 0);

/// The socket that a thread is calling `listen()` on, by thread: a return probe is not given it.
#[map]
pub static LISTENING: LruHashMap<u64, u64> = LruHashMap::with_max_entries(1024, 0);

/// Slots that no listener has; user space fills it and gives slots back.
#[map]
pub static FREE_SLOTS: Queue<u32> = Queue::with_max_entries(1024, 0);

/// The pass through the kernel that this CPU is in.
#[map]
pub static PASS: PerCpuArray<Pass> = PerCpuArray::with_max_entries(1, 0);

/// Which period the recent peaks are of; user space begins a new one when it has read them.
#[map]
pub static PERIOD: Array<u32> = Array::with_max_entries(1, 0);

/// How many listeners have closed.
#[map]
pub static CLOSINGS: Array<u64> = Array::with_max_entries(1, 0);

/// 1 once everything is attached: until then nothing counts.
#[map]
pub static ARMED: Array<u32> = Array::with_max_entries(1, 0);

/// Records for user space.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// Room for 50,000 records: a tenth of a second of a million SYNs a second is 8 MiB.
const RING_BYTES: u32 = 4 << 20;

/// Records that the ring buffer had no room for, by outcome.
#[map]
pub static SHED: PerCpuArray<[u64; Outcome::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// With `verify`: outcomes that the kernel's own counters contradict.
#[map]
pub static CONTRADICTED: PerCpuArray<[u64; Outcome::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Our own troubles, by [`Fault`].
#[map]
pub static FAULTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Fault::COUNT as u32, 0);

/// Counts one of our own troubles.
#[inline(always)]
pub fn fault(kind: Fault) {
    if let Some(count) = FAULTS.get_ptr_mut(kind as u32) {
        // SAFETY: this CPU's own value.
        unsafe { *count += 1 };
    }
}

/// Counts an outcome that the kernel's counters contradict.
#[inline(always)]
pub fn contradicted(outcome: Outcome) {
    if let Some(counts) = CONTRADICTED.get_ptr_mut(0) {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*counts).as_mut_ptr().add(outcome as usize) += 1 };
    }
}

/// Whether counting has begun.
#[inline(always)]
pub fn armed() -> bool {
    ARMED.get(0).is_some_and(|armed| *armed != 0)
}

/// The size of a record, asserted where it is produced.
const _: () = assert!(size_of::<Record>() % 8 == 0);
