//! This CPU's slot of the kernel's own counters.
//!
//! Within a pass everything that raises this CPU's `ListenOverflows` is this very pass: bottom halves
//! are off, softirqs do not nest, and hard interrupts leave TCP alone. So the difference between the
//! pass's end and its beginning is exact (kernel.md section 6.4), unlike the sum over CPUs.

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;

use crate::config::{config, offset};
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
}

impl Counts {
    /// Reads them for the namespace of a socket.
    #[inline(always)]
    pub fn read<M: Memory>(sk: *const u8) -> Self {
        // SAFETY: `sk` is a socket, and the offsets are those of the running kernel.
        unsafe {
            let net: *const u8 = M::read::<u64>(sk, offset!(net)) as *const u8;
            let base: u64 = Probed::read(net, offset!(statistics));
            let cpu = bpf_get_smp_processor_id() as usize;
            let this_cpu: u64 =
                Probed::read(config!(per_cpu_offset) as *const u8, cpu * size_of::<u64>());
            let slots = base.wrapping_add(this_cpu) as *const u8;
            Self {
                overflows: Probed::read(slots, offset!(listen_overflows) * size_of::<u64>()),
                drops: Probed::read(slots, offset!(listen_drops) * size_of::<u64>()),
                syn_queue_full_drops: Probed::read(
                    slots,
                    offset!(syn_queue_full_drops) * size_of::<u64>(),
                ),
            }
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
        }
    }
}
