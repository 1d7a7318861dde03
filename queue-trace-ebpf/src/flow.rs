//! How many records this CPU may stream: all of them, until they outrun the reader.
//!
//! Then each kind may only stream so many in a window of time, the fewer the fuller the ring buffer is: the
//! rare kinds go on as before, the frequent ones are thinned here, where that is cheapest, and counted. Nothing
//! is shared between CPUs but the ring buffer itself.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use queue_trace_common::{Outcome, UNLIMITED, WAKE_NS, allowance};

use crate::config::config;
use crate::{maps, pass};

/// How many records a CPU may want to stream before it looks again how full the ring buffer is. If all of 256
/// do so at once, that is a third of it.
const LOOK_EVERY: u32 = 64;

/// What is known of the stream on a CPU.
#[repr(C)]
pub struct Flow {
    /// When this CPU last woke the reader, and its window began.
    woke_ns: u64,
    /// Which window that is.
    window: u32,
    /// How many records of a kind may be streamed in a window, or [`UNLIMITED`].
    allowance: u32,
    /// How many records may come until this CPU looks again.
    unlooked: u32,
    /// Filler.
    reserved: u32,
    /// What each kind has streamed, by [`Outcome`].
    streamed: [Streamed; Outcome::COUNT],
}

/// What one kind has streamed in a window.
#[repr(C)]
struct Streamed {
    window: u32,
    records: u32,
}

/// Whether a record is to be streamed, and if so, with which flags; one that is not is counted as thinned.
///
/// The first record of a CPU after [`WAKE_NS`] wakes the reader, which looks again when that time has passed. To
/// wake it at each record would cost more than all the rest.
#[inline(always)]
pub fn admits(outcome: usize, now_ns: u64) -> Option<u64> {
    let Some(pass) = pass::current() else { return Some(BPF_RB_FORCE_WAKEUP.into()) };
    let flow = &mut pass.flow;
    let mut flags = BPF_RB_NO_WAKEUP;
    if now_ns.wrapping_sub(flow.woke_ns) >= WAKE_NS {
        flow.woke_ns = now_ns;
        flow.window = flow.window.wrapping_add(1);
        flow.look();
        flags = BPF_RB_FORCE_WAKEUP;
    } else if flow.unlooked == 0 {
        flow.look();
    }
    flow.unlooked = flow.unlooked.wrapping_sub(1);
    if flow.allowance != UNLIMITED && flow.exceeds(outcome) {
        maps::thinned(outcome);
        return None;
    }
    Some(flags.into())
}

impl Flow {
    /// How full is the ring buffer?
    #[inline(always)]
    fn look(&mut self) {
        let queued = maps::RECORDS.query(BPF_RB_AVAIL_DATA.into());
        self.allowance = allowance(queued, maps::RING_BYTES.into(), config!(cpus));
        self.unlooked = LOOK_EVERY;
    }

    /// Whether this kind has streamed all that it may in this window; counts one more if not.
    #[inline(always)]
    fn exceeds(&mut self, outcome: usize) -> bool {
        // SAFETY: the index is that of an outcome.
        let streamed = unsafe { &mut *self.streamed.as_mut_ptr().add(outcome) };
        if streamed.window != self.window {
            streamed.window = self.window;
            streamed.records = 0;
        }
        if streamed.records >= self.allowance {
            return true;
        }
        streamed.records += 1;
        false
    }
}
