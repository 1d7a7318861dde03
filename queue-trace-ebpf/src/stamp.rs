//! When a connection entered the accept queue.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use queue_trace_common::{Fault, Stamp};

use crate::maps;

/// Stamps a child. Must run before the child is in the queue: another CPU may accept it at once.
#[inline(always)]
pub fn insert(child: *const u8, listener: crate::listener::Listener) {
    // SAFETY: the helper has no preconditions.
    let time_ns = unsafe { bpf_ktime_get_ns() };
    let stamp = Stamp { time_ns, slot: listener.slot, flags: listener.flags };
    if maps::WAITING.insert(child as u64, stamp, 0).is_err() {
        maps::fault(Fault::StampsFull);
    }
}

/// Takes a child's stamp away.
#[inline(always)]
pub fn take(child: *const u8) -> Option<Stamp> {
    let key = child as u64;
    // SAFETY: only one CPU takes a given child out of its queue, so nothing removes it meanwhile.
    let stamp = unsafe { maps::WAITING.get(key) }.copied()?;
    // The entry was there a moment ago; failing to remove it changes nothing.
    let _ = maps::WAITING.remove(key);
    Some(stamp)
}

/// How long ago the stamp was made.
#[inline(always)]
pub fn age_ns(stamp: &Stamp) -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }.saturating_sub(stamp.time_ns)
}
