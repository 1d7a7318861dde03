//! This CPU's slot of the kernel's own counters.
//!
//! Within a pass everything that raises this CPU's `ListenOverflows` is this very pass: bottom halves
//! are off, softirqs do not nest, and hard interrupts leave TCP alone. So the difference between the
//! pass's end and its beginning is exact (kernel.md section 6.4), unlike the sum over CPUs.
//!
//! What they are at the beginning need not be read each time: `ledger` keeps it from pass to pass.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_this_cpu_ptr;

use crate::config::{config, constant, member, offset};
use crate::maps;
use crate::memory::{Memory, Probed};

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

/// The counters of a full SYN queue.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct SynQueue {
    /// `TCPReqQFullDoCookies`.
    pub cookies: u64,
    /// `TCPReqQFullDrop`.
    pub drops: u64,
}

/// The counters of Fast Open, which nothing but `tcp_try_fastopen` raises.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Fastopen {
    /// `TCPFastOpenPassiveFail`: of a wrong cookie, or of a child that could not be made.
    pub failures: u64,
    /// `TCPFastOpenListenOverflow`.
    pub queue_overflows: u64,
    /// `TCPFastOpenCookieReqd`.
    pub cookie_requests: u64,
}

/// Writes down where this CPU's counters for a namespace stand. `this_cpu` keeps what is added to a per-CPU
/// pointer on this CPU.
#[inline(always)]
pub fn find<M: Memory>(slots: &mut u64, this_cpu: &mut u64, net: *const u8) {
    // SAFETY: `net` is a namespace, and the offsets are those of the running kernel.
    on_this_cpu(slots, this_cpu, unsafe { member!(M, net, statistics) });
}

/// The same of one counter of TCP proper, `OutSegs`.
#[inline(always)]
pub fn find_out_segments<M: Memory>(slot: &mut u64, this_cpu: &mut u64, net: *const u8) {
    // SAFETY: as above.
    on_this_cpu(slot, this_cpu, unsafe { member!(M, net, tcp_statistics) });
    *slot = slot.wrapping_add((offset!(out_segments) * size_of::<u64>()) as u64);
}

#[inline(always)]
fn on_this_cpu(slots: &mut u64, this_cpu: &mut u64, counters: u64) {
    // SAFETY: references. Through memory, which makes a number of it: the verifier lets nobody add to a typed pointer.
    let base = unsafe {
        (&raw mut *slots).write_volatile(counters);
        (&raw const *slots).read_volatile()
    };
    if *this_cpu == 0 {
        *this_cpu = per_cpu_offset();
    }
    *slots = base.wrapping_add(*this_cpu);
}

/// What is added to a per-CPU pointer on this CPU.
#[inline(always)]
fn per_cpu_offset() -> u64 {
    // SAFETY: the kernel's own variable, or an element of its array.
    unsafe {
        if config!(this_cpu) != 0 {
            let variable = constant!(queue_trace_common::THIS_CPU) as *const c_void;
            bpf_this_cpu_ptr(variable).cast::<u64>().read_volatile()
        } else {
            let offsets = config!(per_cpu_offset) as *const u8;
            Probed::read(offsets, maps::this_cpu() as usize * size_of::<u64>())
        }
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
    /// Reads them.
    #[inline(always)]
    pub fn read(slots: *const u8) -> Self {
        if config!(offsets.listen_drops) == config!(offsets.listen_overflows) + 1 {
            let at = offset!(listen_overflows) * size_of::<u64>();
            // SAFETY: as for a single one. They are neighbours, and reading is a matter of calls, not of bytes.
            let [overflows, drops] = unsafe { Probed::read::<[u64; 2]>(slots, at) };
            return Self { overflows, drops };
        }
        Self { overflows: slot!(slots, listen_overflows), drops: slot!(slots, listen_drops) }
    }
}

impl SynQueue {
    /// Reads them.
    #[inline(always)]
    pub fn read(slots: *const u8) -> Self {
        if config!(offsets.syn_queue_full_drops) == config!(offsets.syn_queue_full_cookies) + 1 {
            let at = offset!(syn_queue_full_cookies) * size_of::<u64>();
            // SAFETY: as for `Refusals`.
            let [cookies, drops] = unsafe { Probed::read::<[u64; 2]>(slots, at) };
            return Self { cookies, drops };
        }
        Self {
            cookies: slot!(slots, syn_queue_full_cookies),
            drops: slot!(slots, syn_queue_full_drops),
        }
    }
}

/// `SyncookiesSent`.
#[inline(always)]
pub fn cookies_sent(slots: *const u8) -> u64 {
    slot!(slots, cookies_sent)
}

/// `OutSegs`, which stands here: `tcp_make_synack` counts each SYN-ACK.
#[inline(always)]
pub fn out_segments(slot: *const u8) -> u64 {
    // SAFETY: as for one of the others.
    unsafe { Probed::read(slot, 0) }
}

/// `TCPMigrateReqSuccess` and `TCPMigrateReqFailure` for the namespace of a socket: requests migrate outside of
/// passes too.
#[inline(always)]
pub fn migrations(this_cpu: &mut u64, sk: *const u8) -> [u64; 2] {
    // SAFETY: `sk` is a socket.
    let net = unsafe { Probed::read::<u64>(sk, offset!(net)) } as *const u8;
    let mut slots = 0;
    find::<Probed>(&mut slots, this_cpu, net);
    let slots = slots as *const u8;
    [slot!(slots, migrate_successes), slot!(slots, migrate_failures)]
}

impl Fastopen {
    /// Where they stand.
    #[inline(always)]
    fn at() -> usize {
        offset!(fastopen_counters) * size_of::<u64>()
    }

    /// Reads the first one alone.
    #[inline(always)]
    pub fn failures(slots: *const u8) -> u64 {
        // SAFETY: as for any one.
        unsafe { Probed::read(slots, Self::at()) }
    }

    /// Reads them.
    #[inline(always)]
    pub fn read(slots: *const u8) -> Self {
        let at = Self::at();
        // SAFETY: as for a single one. They are neighbours, see `Offsets::fastopen_counters`.
        let [failures, queue_overflows, cookie_requests] =
            unsafe { Probed::read::<[u64; 3]>(slots, at) };
        Self { failures, queue_overflows, cookie_requests }
    }
}

impl Counts {
    /// Reads them.
    #[inline(always)]
    pub fn read(slots: *const u8) -> Self {
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
