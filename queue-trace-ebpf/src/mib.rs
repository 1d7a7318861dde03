//! This CPU's slot of the kernel's own counters.
//!
//! Within a pass everything that raises this CPU's `ListenOverflows` is this very pass: bottom halves
//! are off, softirqs do not nest, and hard interrupts leave TCP alone. So the difference between the
//! pass's end and its beginning is exact (kernel.md section 6.4), unlike the sum over CPUs.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;

use crate::config::{config, offset};
use crate::memory::{Memory, Probed};
use crate::pass::Pass;

/// The counters that a pass can raise, as this CPU has them.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Counts {
    /// `ListenOverflows`.
    pub overflows: u64,
    /// `ListenDrops`.
    pub drops: u64,
    /// `TCPReqQFullDrop`.
    pub syn_queue_full_drops: u64,
    /// `TCPReqQFullDoCookies`.
    pub syn_queue_full_cookies: u64,
}

/// The counters that tell a refused final ACK.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Refusals {
    /// `ListenOverflows`.
    pub overflows: u64,
    /// `ListenDrops`.
    pub drops: u64,
}

/// The counters that a Fast Open attempt can raise.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct FastopenCounts {
    /// `TCPFastOpenCookieReqd`.
    pub cookie_requests: u64,
    /// `TCPFastOpenListenOverflow`.
    pub queue_overflows: u64,
    /// `ListenOverflows`.
    pub overflows: u64,
    /// `ListenDrops`.
    pub drops: u64,
}

/// This CPU's array of counters for the namespace of the pass that it is in; found once a pass, in which all
/// sockets are of one namespace.
#[inline(always)]
fn slots<M: Memory>(pass: &mut Pass, sk: *const u8) -> *const u8 {
    if pass.statistics == 0 {
        find::<M>(pass, sk);
    }
    // SAFETY: a reference. Volatile, as in `find`.
    unsafe { (&raw const pass.statistics).read_volatile() as *const u8 }
}

/// Finds it and keeps where it is.
#[inline(always)]
pub fn find<M: Memory>(pass: &mut Pass, sk: *const u8) {
    // SAFETY: `sk` is a socket, and the offsets are those of the running kernel.
    unsafe {
        let net: *const u8 = M::read::<u64>(sk, offset!(net)) as *const u8;
        // Through memory, which makes a number of it: the verifier lets nobody add to a typed pointer.
        (&raw mut pass.statistics).write_volatile(M::read(net, offset!(statistics)));
        if pass.this_cpu == 0 {
            let cpu = bpf_get_smp_processor_id() as usize;
            let offsets = config!(per_cpu_offset) as *const u8;
            pass.this_cpu = Probed::read(offsets, cpu * size_of::<u64>());
        }
        let base = (&raw const pass.statistics).read_volatile();
        pass.statistics = base.wrapping_add(pass.this_cpu);
    }
}

/// One counter of the array.
macro_rules! slot {
    ($slots:ident, $index:ident) => {
        // SAFETY: read by helper; a wrong address reads as zero.
        unsafe { Probed::read::<u64>($slots, offset!($index) * size_of::<u64>()) }
    };
}

impl Refusals {
    /// Reads them for the namespace of a socket.
    #[inline(always)]
    pub fn read<M: Memory>(pass: &mut Pass, sk: *const u8) -> Self {
        let slots = slots::<M>(pass, sk);
        if config!(offsets.listen_drops) == config!(offsets.listen_overflows) + 1 {
            let at = offset!(listen_overflows) * size_of::<u64>();
            // SAFETY: as for a single one. They are neighbours, and reading is a matter of calls, not of bytes.
            let [overflows, drops] = unsafe { Probed::read::<[u64; 2]>(slots, at) };
            return Self { overflows, drops };
        }
        Self { overflows: slot!(slots, listen_overflows), drops: slot!(slots, listen_drops) }
    }
}

/// `TCPMigrateReqSuccess` and `TCPMigrateReqFailure` for the namespace of a socket.
#[inline(always)]
pub fn migrations(pass: &mut Pass, sk: *const u8) -> [u64; 2] {
    // Requests migrate outside of passes too.
    find::<Probed>(pass, sk);
    let slots = slots::<Probed>(pass, sk);
    [slot!(slots, migrate_successes), slot!(slots, migrate_failures)]
}

impl FastopenCounts {
    /// Reads them for the namespace of a socket.
    #[inline(always)]
    pub fn read<M: Memory>(pass: &mut Pass, sk: *const u8) -> Self {
        let slots = slots::<M>(pass, sk);
        Self {
            cookie_requests: slot!(slots, fastopen_cookie_requests),
            queue_overflows: slot!(slots, fastopen_overflows),
            overflows: slot!(slots, listen_overflows),
            drops: slot!(slots, listen_drops),
        }
    }
}

impl Counts {
    /// Reads them for the namespace of a socket.
    #[inline(always)]
    pub fn read<M: Memory>(pass: &mut Pass, sk: *const u8) -> Self {
        let slots = slots::<M>(pass, sk);
        Self {
            overflows: slot!(slots, listen_overflows),
            drops: slot!(slots, listen_drops),
            syn_queue_full_drops: slot!(slots, syn_queue_full_drops),
            syn_queue_full_cookies: slot!(slots, syn_queue_full_cookies),
        }
    }

    /// How far they moved since.
    #[inline(always)]
    pub fn since(&self, start: &Self) -> Self {
        Self {
            overflows: self.overflows.wrapping_sub(start.overflows),
            drops: self.drops.wrapping_sub(start.drops),
            syn_queue_full_drops: self
                .syn_queue_full_drops
                .wrapping_sub(start.syn_queue_full_drops),
            syn_queue_full_cookies: self
                .syn_queue_full_cookies
                .wrapping_sub(start.syn_queue_full_cookies),
        }
    }
}
