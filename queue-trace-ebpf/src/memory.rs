//! Reading kernel memory: by a plain load where the verifier knows the pointer; elsewhere by one of a pointer that the
//! kernel casts for us, and by helper where it does not.

use core::arch::asm;
use core::hint::assert_unchecked;
use core::mem::{MaybeUninit, offset_of, transmute_copy};

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel, bpf_skc_to_tcp_request_sock, bpf_skc_to_tcp_sock,
};

use queue_trace_common::{Config, MEMBER, place};

use crate::config::{config, constant};

/// Loads a number from where user space writes the offset into the instruction.
macro_rules! load {
    ($size:literal, $base:expr, $index:expr) => {{
        let word: u64;
        // SAFETY: a load; a fault is handled by the kernel's exception table and reads as zero (kernel.md section 7).
        unsafe {
            asm!(
                concat!("{word} = *(", $size, " *)({base} + {place})"),
                word = out(reg) word,
                base = in(reg) $base,
                place = const MEMBER + $index as i16,
                options(readonly, nostack, preserves_flags)
            );
        }
        word
    }};
}

/// A way to read `T` at `base + offset`.
pub trait Memory {
    /// Whether reading is a matter of a few instructions.
    const DIRECT: bool;

    /// Reads a value, zeroed if the memory is not there.
    ///
    /// # Safety
    /// `base` must be a kernel pointer of the structure that has a `T` at `offset`.
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T;

    /// Reads the member whose offset has this place in [`Offsets`].
    ///
    /// # Safety
    /// `base` must be a kernel pointer of the structure that has this member, and that is a `T`.
    #[inline(always)]
    unsafe fn member<T: Copy + Default, const INDEX: usize>(base: *const u8) -> T {
        let offset = constant!(place(
            offset_of!(Config, offsets) + INDEX * size_of::<u32>(),
            size_of::<u32>()
        ));
        // SAFETY: the caller's promise.
        unsafe { Self::read(base, offset as usize) }
    }

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

/// For everything else: from 6.2 on a load of a pointer that `bpf_rdonly_cast` has made a typed one, which takes a
/// dozen instructions; `bpf_probe_read_kernel` takes a hundred.
pub struct Probed;

impl Memory for Typed {
    const DIRECT: bool = true;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise; a fault is handled by the kernel's exception table and
        // reads as zero (kernel.md section 7).
        unsafe { core::ptr::read_volatile(base.add(offset).cast()) }
    }

    #[inline(always)]
    unsafe fn member<T: Copy + Default, const INDEX: usize>(base: *const u8) -> T {
        let word = match size_of::<T>() {
            1 => load!("u8", base, INDEX),
            2 => load!("u16", base, INDEX),
            4 => load!("u32", base, INDEX),
            _ => load!("u64", base, INDEX),
        };
        // SAFETY: nothing but numbers is read, of at most eight bytes, and the first byte is the lowest.
        unsafe {
            assert_unchecked(size_of::<T>() == 8 || word < 1 << (8 * size_of::<T>() as u64 % 64));
            transmute_copy(&word)
        }
    }

    // The kernel's casts cost a fifth of what reading by helper does. They answer with nothing where a socket
    // has other functions than TCP's own, as the listeners of MPTCP do.

    #[inline(always)]
    unsafe fn read_tcp<T: Copy + Default>(sk: *const u8, offset: usize) -> T {
        // SAFETY: the caller's promise, for all; the cast keeps the address.
        unsafe {
            if casts() {
                return Probed::read(sk, offset);
            }
            let tcp = bpf_skc_to_tcp_sock(sk.cast_mut().cast()) as *const u8;
            if tcp.is_null() { Probed::read(sk, offset) } else { Self::read(tcp, offset) }
        }
    }

    #[inline(always)]
    unsafe fn read_tcp_request<T: Copy + Default>(request: *const u8, offset: usize) -> T {
        // SAFETY: as above.
        unsafe {
            if casts() {
                return Probed::read(request, offset);
            }
            let tcp = bpf_skc_to_tcp_request_sock(request.cast_mut().cast()) as *const u8;
            if tcp.is_null() { Probed::read(request, offset) } else { Self::read(tcp, offset) }
        }
    }
}

impl Memory for Probed {
    const DIRECT: bool = false;

    #[inline(always)]
    unsafe fn read<T: Copy + Default>(base: *const u8, offset: usize) -> T {
        let address = base.wrapping_add(offset);
        // There whenever the cast is, and asked for only once.
        let numbers = config!(numbers);
        if numbers != 0 {
            // SAFETY: a fault is handled by the kernel's exception table and reads as zero.
            return unsafe { cast(address, numbers).cast::<T>().read_volatile() };
        }
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper checks the address itself, and writes zeros where it cannot read. `T` is a number or
        // numbers.
        unsafe {
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address.cast());
            value.assume_init()
        }
    }
}

/// Whether the kernel makes typed pointers of addresses: then there is a type to make them of.
#[inline(always)]
pub fn casts() -> bool {
    config!(numbers) != 0
}

/// The same address as a pointer to a `struct linux_mib`: an array of numbers, of which the verifier lets anything be
/// read that lies within its thousand bytes. It replaces the call by a move.
#[inline(always)]
fn cast(address: *const u8, numbers: u32) -> *const u8 {
    let typed: *const u8;
    // SAFETY: a kernel function that has no effects, called by the kernel's rules: arguments from r1 on, the result in
    // r0, and r1 to r5 are gone afterwards.
    unsafe {
        asm!(
            "call {cast}",
            cast = const queue_trace_common::CAST,
            inlateout("r1") address => _,
            inlateout("r2") u64::from(numbers) => _,
            lateout("r0") typed,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(pure, nomem, nostack)
        );
    }
    typed
}
