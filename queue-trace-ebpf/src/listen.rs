//! Listeners that come, change their backlog, and go. Process context.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use queue_trace_common::{LISTENER_CLOSED, Outcome};

use crate::config::offset;
use crate::listener::{self, Opener};
use crate::memory::Memory;
use crate::{maps, report};

/// `listen()` succeeded.
#[inline(always)]
pub fn listened<M: Memory>(sk: *const u8) {
    if !maps::armed() {
        return;
    }
    match listener::known(sk) {
        Some(known) if known.flags & LISTENER_CLOSED == 0 => {
            // SAFETY: `sk` is a listening socket.
            let limit: u32 = unsafe { M::read(sk, offset!(limit)) };
            let Some(info) = maps::LISTENER_INFO.get_ptr_mut(known.slot) else { return };
            // SAFETY: one aligned word, written under the socket's lock.
            let former = unsafe {
                let former = (*info).limit;
                (*info).limit = limit;
                former
            };
            report::report::<M>(known, sk, Outcome::BacklogChanged, |record| {
                report::set_process(record);
                record.detail = former;
            });
        }
        _ => {
            let opener = Opener {
                pid: (bpf_get_current_pid_tgid() >> 32) as u32,
                comm: bpf_get_current_comm().unwrap_or_default(),
            };
            let listener = listener::open::<M>(sk, &opener);
            report::report::<M>(listener, sk, Outcome::Listen, report::set_process);
        }
    }
}

/// `inet_csk_listen_stop` begins: the socket has left LISTEN.
#[inline(always)]
pub fn stopping<M: Memory>(sk: *const u8) {
    if !maps::armed() {
        return;
    }
    // A listener that was never met gets its entry now, so that its close is told.
    let listener =
        listener::known(sk).unwrap_or_else(|| listener::open::<M>(sk, &Opener::default()));
    listener::close(sk, listener);
    report::report::<M>(listener, sk, Outcome::Close, report::set_process);
}
