//! The maps, their sizes and why.

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, ProgramArray, Queue, RingBuf};
use queue_trace_common::{
    Control, Counters, Fault, FullTime, ListenerInfo, ListenerRef, Outcome, PASS_BYTES, Record,
    Troubles,
};

use crate::config::{config, constant};
use crate::listen::Asked;
use crate::pass::Pass;

/// Listeners by the kernel address of their socket. User space sets the size to the number of slots
/// and as many again, because a closed listener keeps its entry until its last half-open request
/// can have died.
#[map]
pub static LISTENERS: HashMap<u64, ListenerRef> = HashMap::with_max_entries(2048, 0);

/// Who the listener of a slot is. Slot 0 stands for all that found no slot.
#[map]
pub static LISTENER_INFO: Array<ListenerInfo> = Array::with_max_entries(1024, BPF_F_MMAPABLE);

/// What happened at the listener of a slot, with a value for each CPU: nothing shared is written when a
/// SYN comes in. Not a per-CPU map, because those cannot be mapped into a process.
#[map]
static COUNTERS: Array<Counters> = Array::with_max_entries(1024, BPF_F_MMAPABLE);

/// How long the queues of a slot's listener were full.
#[map]
pub static FULL_TIME: Array<FullTime> = Array::with_max_entries(1024, BPF_F_MMAPABLE);

/// The backlog that a thread is asking `listen()` for, by thread; an entry lives for one call.
#[map]
pub static ASKED: LruHashMap<u64, Asked> = LruHashMap::with_max_entries(1024, 0);

/// The socket that a thread is calling `listen()` on, by thread: a return probe is not given it.
#[map]
pub static LISTENING: LruHashMap<u64, u64> = LruHashMap::with_max_entries(1024, 0);

/// Slots that no listener has; user space fills it and gives slots back.
#[map]
pub static FREE_SLOTS: Queue<u32> = Queue::with_max_entries(1024, 0);

/// The kernel's ring buffer: records for user space that do not go into a CPU's own ring.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Each CPU's own ring, one after the other; see `ring`.
#[map]
pub static RINGS: Array<Record> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The program that tells the end of a SYN; user space puts it here.
#[map]
pub static ENDS_OF_SYNS: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Our own troubles, with a value for each CPU.
#[map]
static TROUBLES: Array<Troubles> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Where this CPU's counters of a slot stand.
#[inline(always)]
pub fn place(slot: u32) -> u32 {
    slot * config!(cpus) + this_cpu()
}

/// The counters that stand there.
#[inline(always)]
pub fn counters(place: u32) -> Option<*mut Counters> {
    COUNTERS.get_ptr_mut(place)
}

/// This CPU's troubles.
#[inline(always)]
fn troubles() -> Option<*mut Troubles> {
    TROUBLES.get_ptr_mut(this_cpu())
}

/// The number of this CPU.
#[inline(always)]
pub fn this_cpu() -> u32 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_smp_processor_id() }
}

/// Counts one of our own troubles.
#[inline(always)]
pub fn fault(kind: Fault) {
    if let Some(troubles) = troubles() {
        // SAFETY: this CPU's own value, and the index is that of a fault.
        unsafe { *(*troubles).faults.as_mut_ptr().add(kind as usize) += 1 };
    }
}

/// Counts a record that found no room.
#[inline(always)]
pub fn shed(outcome: usize) {
    if let Some(troubles) = troubles() {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*troubles).shed.as_mut_ptr().add(outcome) += 1 };
    }
}

/// Counts a record that was left out because its kind has streamed enough.
#[inline(always)]
pub fn thinned(outcome: usize) {
    if let Some(troubles) = troubles() {
        // SAFETY: as in `shed`.
        unsafe { *(*troubles).thinned.as_mut_ptr().add(outcome) += 1 };
    }
}

/// Counts an outcome that the kernel's counters contradict.
#[inline(always)]
pub fn contradicted(outcome: Outcome) {
    if let Some(troubles) = troubles() {
        // SAFETY: this CPU's own value, and the index is that of an outcome.
        unsafe { *(*troubles).contradicted.as_mut_ptr().add(outcome as usize) += 1 };
    }
}

/// The pass through the kernel that this CPU is in; nothing only for the verifier, which does not know how many CPUs
/// there are.
///
/// Not a map to be looked up: user space has made one, and this is its address.
#[inline(always)]
pub fn pass() -> Option<*mut Pass> {
    const { assert!(size_of::<Pass>() <= PASS_BYTES) };
    let cpu = u64::from(this_cpu());
    let passes = constant!(queue_trace_common::PASSES) as *mut u8;
    // SAFETY: there is one for each CPU.
    (cpu < u64::from(config!(cpus)))
        .then(|| unsafe { passes.add(cpu as usize * PASS_BYTES) }.cast())
}

/// What user space tells us, and what concerns all CPUs; found like [`pass`].
#[inline(always)]
fn control() -> *mut Control {
    constant!(queue_trace_common::CONTROL) as *mut Control
}

/// Whether counting has begun.
#[inline(always)]
pub fn armed() -> bool {
    counting().is_some()
}

/// What concerns all CPUs, once counting has begun.
#[inline(always)]
pub fn counting() -> Option<Now> {
    let control = control().cast::<u64>();
    // SAFETY: aligned words of the value, which others write.
    let now =
        unsafe { Now { word: control.read_volatile(), closings: control.add(1).read_volatile() } };
    (now.armed() != 0).then_some(now)
}

/// What [`counting`] finds.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Now {
    /// The word that user space writes.
    word: u64,
    /// How many listeners have closed; with [`Control::SHARED`].
    pub closings: u64,
}

impl Now {
    /// How often counting has begun.
    #[inline(always)]
    pub fn armed(&self) -> u32 {
        self.word as u32
    }

    /// Which period the recent peaks are of.
    #[inline(always)]
    pub fn period(&self) -> u32 {
        (self.word >> 32) as u32
    }

    /// Whether another protocol uses TCP's requests and counters.
    #[inline(always)]
    pub fn shared(&self) -> bool {
        self.closings & Control::SHARED != 0
    }
}

/// Another protocol uses TCP's requests and counters.
#[inline(always)]
pub fn share() {
    change_closings(|closings| closings | Control::SHARED);
}

/// Whether a queue has ever been full.
#[inline(always)]
pub fn ever_full() -> bool {
    // SAFETY: an aligned word.
    unsafe { (&raw const (*control()).ever_full).read_volatile() != 0 }
}

/// A queue is full.
#[inline(always)]
pub fn full() {
    // SAFETY: an aligned word, written once by any CPU.
    unsafe {
        if !ever_full() {
            (&raw mut (*control()).ever_full).write_volatile(1);
        }
    }
}

/// A listener has closed. Of two that close at once one may be lost, and yet neither finds what it counted before
/// unchanged.
#[inline(always)]
pub fn closed_one() {
    change_closings(|closings| closings + 1);
}

#[inline(always)]
fn change_closings(change: impl FnOnce(u64) -> u64) {
    // SAFETY: an aligned word.
    unsafe {
        let closings = &raw mut (*control()).closings;
        closings.write_volatile(change(closings.read_volatile()));
    }
}

/// The size of a record, asserted where it is produced.
const _: () = assert!(size_of::<Record>() % 8 == 0);
