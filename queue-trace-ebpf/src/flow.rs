//! How many records this CPU may stream: all of them, until they outrun the reader.
//!
//! Then each kind may only stream so many in a window of time, the fewer the fuller the ring is: the rare kinds go on
//! as before, the frequent ones are thinned here, where that is cheapest, and counted. Nothing is shared between CPUs
//! but the kernel's ring buffer, into which only a wake-up goes, and what is told in process context.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use queue_trace_common::{Outcome, UNLIMITED, WAKE_NS, allowance};

use crate::config::config;
use crate::maps;
use crate::pass::Pass;
use crate::report;
use crate::ring::{self, Context};

/// How many records a CPU may want to write into the ring buffer before it looks again how full that is. If all of
/// 256 do so at once, that is more than it holds; but what is written there is rare.
const LOOK_EVERY: u32 = 64;

/// What is known of the stream on a CPU.
#[repr(C)]
pub struct Flow {
    /// When this CPU last woke the reader or knew that it would come, and its window began.
    woke_ns: u64,
    /// Which window that is.
    window: u32,
    /// How many records of a kind may go into the ring buffer in a window, or [`UNLIMITED`].
    allowance: u32,
    /// How many records may come until this CPU looks again.
    unlooked: u32,
    /// How the record is submitted that goes into the ring buffer. Here, so that the verifier does not follow the way of
    /// each value to the end.
    pub flags: u32,
    /// What each kind has streamed, by [`Outcome`].
    streamed: [Streamed; Outcome::COUNT],
}

/// What one kind has streamed in a window.
#[repr(C)]
struct Streamed {
    window: u32,
    records: u32,
}

/// Where a record goes.
#[derive(Clone, Copy)]
pub enum Way {
    /// Into this CPU's own ring.
    Own,
    /// Into the ring buffer, which wakes the reader, or else into the own ring.
    Wake,
    /// Into the ring buffer.
    Buffer,
}

/// Where a record is to be streamed, if it is; counts one that is to be thinned, or finds no room.
///
/// The first record of a CPU after [`WAKE_NS`] goes into the ring buffer and wakes the reader, which looks again when
/// that time has passed. To wake it at each record would cost more than all the rest. If it has not read yet what is
/// in the CPU's own ring, it is about to come anyway.
#[inline(always)]
pub fn admits(pass: &mut Pass, context: Context, outcome: Outcome, now_ns: u64) -> Option<Way> {
    if !ring::takes(&pass.ring, context) {
        return pass.flow.admits_to_buffer(outcome, now_ns);
    }
    let queued = ring::queued(&pass.ring);
    let flow = &mut pass.flow;
    if flow.window_ends(now_ns) && queued == 0 {
        flow.flags = BPF_RB_FORCE_WAKEUP;
        return Some(Way::Wake);
    }
    let size = u64::from(config!(ring));
    if queued >= size / 2 {
        if flow.exceeds(outcome, allowance(queued, size, config!(cpus))) {
            return None;
        }
        if queued >= size {
            report::index(outcome).into_iter().for_each(maps::shed);
            return None;
        }
    }
    Some(Way::Own)
}

impl Flow {
    /// Whether the window has ended; then the next one begins.
    #[inline(always)]
    fn window_ends(&mut self, now_ns: u64) -> bool {
        let ends = now_ns.wrapping_sub(self.woke_ns) >= WAKE_NS;
        if ends {
            self.woke_ns = now_ns;
            self.window = self.window.wrapping_add(1);
        }
        ends
    }

    /// The same for the ring buffer, which has to be asked how full it is.
    #[inline(always)]
    fn admits_to_buffer(&mut self, outcome: Outcome, now_ns: u64) -> Option<Way> {
        self.flags = BPF_RB_NO_WAKEUP;
        if self.window_ends(now_ns) {
            self.look();
            self.flags = BPF_RB_FORCE_WAKEUP;
        } else if self.unlooked == 0 {
            self.look();
        }
        self.unlooked = self.unlooked.wrapping_sub(1);
        if self.allowance != UNLIMITED && self.exceeds(outcome, self.allowance) {
            return None;
        }
        Some(Way::Buffer)
    }

    /// How full is the ring buffer?
    #[inline(always)]
    fn look(&mut self) {
        let queued = maps::RECORDS.query(BPF_RB_AVAIL_DATA.into());
        self.allowance = allowance(queued, config!(ring_buffer).into(), config!(cpus));
        self.unlooked = LOOK_EVERY;
    }

    /// Whether this kind has streamed all that it may in this window; counts one more, or one that was thinned.
    #[inline(always)]
    fn exceeds(&mut self, outcome: Outcome, allowance: u32) -> bool {
        let Some(index) = report::index(outcome) else { return true };
        // SAFETY: the index is that of an outcome.
        let streamed = unsafe { &mut *self.streamed.as_mut_ptr().add(index) };
        if streamed.window != self.window {
            streamed.window = self.window;
            streamed.records = 0;
        }
        if streamed.records >= allowance {
            maps::thinned(index);
            return true;
        }
        streamed.records += 1;
        false
    }
}
