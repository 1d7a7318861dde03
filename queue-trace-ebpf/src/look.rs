//! Who waits now, read when user space asks: nothing need be written while connections come and go.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use queue_trace_common::{FullTime, LOOKED_AT};

use crate::config::offset;
use crate::memory::{Memory, Probed};
use crate::{entry, listener, maps};

/// Looks at the accept queues of the listeners of some slots.
#[inline(always)]
pub fn at(first: u32) {
    for slot in first..first + LOOKED_AT {
        let Some(times) = maps::FULL_TIME.get_ptr_mut(slot) else { return };
        // SAFETY: nobody else writes these two members.
        unsafe { look(slot, &mut *times) };
    }
}

#[inline(always)]
fn look(slot: u32, times: &mut FullTime) {
    (times.waiting, times.oldest_ns) = (0, 0);
    let Some(info) = maps::LISTENER_INFO.get(slot) else { return };
    let sk = info.socket as *const u8;
    // A listener keeps its entry as long as its socket listens.
    if listener::known(sk).is_none_or(|known| known.slot != slot) {
        return;
    }
    // SAFETY: read by helper; what is freed meanwhile reads as anything.
    let (waiting, child) = unsafe {
        let head = Probed::read::<u64>(sk, offset!(accept_head)) as *const u8;
        let child = Probed::read::<u64>(head, offset!(request_child)) as *const u8;
        (Probed::read::<u32>(sk, offset!(accept_depth)), child)
    };
    let since = entry::time_ns(child);
    // SAFETY: the helper has no preconditions.
    if waiting != 0 && since <= unsafe { bpf_ktime_get_ns() } {
        (times.waiting, times.oldest_ns) = (waiting.into(), since);
    }
}
