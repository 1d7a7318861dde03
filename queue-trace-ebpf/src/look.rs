//! Who waits now, read when user space asks: nothing need be written while connections come and go. And the
//! listener's cookie, which the kernel gives a socket when somebody first asks for it.

use aya_ebpf::helpers::bpf_ktime_get_ns;

use crate::config::offset;
use crate::memory::{Memory, Probed};
use crate::{entry, gauge, listener, maps};

/// Looks at the accept queue of the listener of a slot.
#[inline(always)]
pub fn at(slot: u32) {
    let Some(times) = maps::FULL_TIME.get_ptr_mut(slot) else { return };
    let now = depths(slot).unwrap_or_default();
    // SAFETY: nobody else writes these members.
    unsafe { ((*times).waiting, (*times).half_open, (*times).oldest_ns) = now };
}

#[inline(always)]
fn depths(slot: u32) -> Option<(u64, u64, u64)> {
    let info = maps::LISTENER_INFO.get_ptr_mut(slot)?;
    // SAFETY: aligned words of a value that stays where it is.
    let (sk, cookie) = unsafe { ((*info).socket as *const u8, (*info).cookie) };
    // A listener keeps its entry as long as its socket listens.
    listener::known(sk).filter(|known| known.slot == slot)?;
    if cookie == 0 {
        // SAFETY: one aligned store, read by helper; nobody else writes it while the listener is known.
        unsafe { (*info).cookie = Probed::read(sk, offset!(cookie)) };
    }
    // SAFETY: read by helper; what is freed meanwhile reads as anything.
    let (waiting, half_open, child) = unsafe {
        let head = Probed::read::<u64>(sk, offset!(accept_head)) as *const u8;
        let child = Probed::read::<u64>(head, offset!(request_child)) as *const u8;
        (Probed::read::<u32>(sk, offset!(accept_depth)), gauge::syn_depth::<Probed>(sk), child)
    };
    let since = entry::time_ns::<Probed>(child);
    // SAFETY: the helper has no preconditions.
    let sound = waiting != 0 && since <= unsafe { bpf_ktime_get_ns() };
    Some((waiting.into(), half_open.into(), if sound { since } else { 0 }))
}
