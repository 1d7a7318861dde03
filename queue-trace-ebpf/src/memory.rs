//! Reading kernel memory: by a plain load where the verifier knows the pointer, by helper elsewhere.

use aya_ebpf::helpers::bpf_probe_read_kernel;

/// A way to read `T` at `base + offset`.
pub trait Memory {
    /// Reads a value, zeroed if the memory is not there.
    ///
    /// # Safety
    /// `base` must be a kernel pointer of the structure that has a `T` at `offset`.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T;
}

/// Plain loads: for pointers that came as typed arguments of fentry and fexit programs, within the
/// structure that the argument's type declares.
pub struct Typed;

/// `bpf_probe_read_kernel`: for everything else.
pub struct Probed;

impl Memory for Typed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise; a fault is handled by the kernel's exception table and
        // reads as zero (kernel.md section 7).
        unsafe { core::ptr::read_volatile(base.add(offset).cast()) }
    }
}

impl Memory for Probed {
    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the helper checks the address itself.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast()) }.unwrap_or_default()
    }
}
