//! Reading kernel memory: by a plain load where the verifier knows the pointer, by helper elsewhere.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::{bpf_skc_to_tcp_request_sock, bpf_skc_to_tcp_sock};

/// A way to read `T` at `base + offset`.
pub trait Memory {
    /// Whether reading is a matter of a few instructions.
    const DIRECT: bool;

    /// Reads a value, zeroed if the memory is not there.
    ///
    /// # Safety
    /// `base` must be a kernel pointer of the structure that has a `T` at `offset`.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T;

    /// Reads a member of the TCP socket of which `sk`, a `struct sock`, is the beginning.
    ///
    /// # Safety
    /// As [`Self::read`].
    #[inline(always)]
    unsafe fn read_tcp<T: Copy + Default>(sk: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { Probed::read(sk, offset) }
    }

    /// Reads a member of the TCP request of which `request`, a `struct request_sock`, is the beginning.
    ///
    /// # Safety
    /// As [`Self::read`].
    #[inline(always)]
    unsafe fn read_tcp_request<T: Copy + Default>(request: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { Probed::read(request, offset) }
    }
}

/// Plain loads: for pointers that came as typed arguments of fentry and fexit programs, within the
/// structure that the argument's type declares.
pub struct Typed;

/// `bpf_probe_read_kernel`: for everything else.
pub struct Probed;

impl Memory for Typed {
    const DIRECT: bool = true;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise; a fault is handled by the kernel's exception table and
        // reads as zero (kernel.md section 7).
        unsafe { core::ptr::read_volatile(base.add(offset).cast()) }
    }

    // The kernel's casts cost a fifth of what reading by helper does. They answer with nothing where a socket
    // has other functions than TCP's own, as the listeners of MPTCP do.

    #[inline(always)]
    unsafe fn read_tcp<T: Copy + Default>(sk: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise, for both; the cast keeps the address.
        unsafe {
            let tcp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
            if tcp.is_null() { Probed::read(sk, offset) } else { Self::read(tcp, offset) }
        }
    }

    #[inline(always)]
    unsafe fn read_tcp_request<T: Copy + Default>(request: *const u8, offset: usize) -> T {
        // SAFETY: as above.
        unsafe {
            let tcp = bpf_skc_to_tcp_request_sock(request.cast_mut().cast()) as *const u8;
            if tcp.is_null() { Probed::read(request, offset) } else { Self::read(tcp, offset) }
        }
    }
}

impl Memory for Probed {
    const DIRECT: bool = false;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the helper checks the address itself.
        unsafe { bpf_probe_read_kernel(base.wrapping_add(offset).cast()) }.unwrap_or_default()
    }
}
