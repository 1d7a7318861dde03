//! What user space has written into the instructions that ask for it.

use queue_trace_common::{Config, MAX_PORTS};

/// Local ports to stream; replaced by user space before the programs are loaded.
#[unsafe(no_mangle)]
pub static PORTS: [u16; MAX_PORTS] = [0; MAX_PORTS];

/// A constant that user space writes into the instruction that loads it.
macro_rules! constant {
    ($place:expr) => {{
        let value: u64;
        // SAFETY: one instruction that loads a number; without side effects.
        unsafe {
            core::arch::asm!(
                "{value} = {mark} ll",
                value = out(reg) value,
                mark = const (queue_trace_common::MARK as u64) << 32 | $place as u64,
                options(nomem, nostack, preserves_flags)
            );
        }
        value
    }};
}

/// The value of one member of [`Config`].
macro_rules! config {
    ($($member:ident).+) => {{
        const PLACE: u32 = queue_trace_common::place(
            core::mem::offset_of!(queue_trace_common::Config, $($member).+),
            $crate::config::size_of_member(|config| &config.$($member).+),
        );
        $crate::config::typed(|config| &config.$($member).+, $crate::config::constant!(PLACE))
    }};
}

/// One offset of the running kernel, as a `usize`.
macro_rules! offset {
    ($member:ident) => {
        $crate::config::config!(offsets.$member) as usize
    };
}

/// Whether the running kernel has this member.
macro_rules! has {
    ($member:ident) => {
        // Signed, because an instruction can compare with -1, but not with a number of 32 digits.
        $crate::config::config!(offsets.$member) as i32 != queue_trace_common::MISSING as i32
    };
}

/// Reads a member of the structure at an address; where the verifier knows the pointer, with the offset in the
/// instruction that loads.
macro_rules! member {
    ($memory:ty, $base:expr, $member:ident) => {
        <$memory as $crate::memory::Memory>::member::<
            _,
            { core::mem::offset_of!(queue_trace_common::Offsets, $member) / size_of::<u32>() },
        >($base)
    };
    ($memory:ty, $base:expr, $member:ident: $type:ty) => {{
        let value: $type = $crate::config::member!($memory, $base, $member);
        value
    }};
}

pub(crate) use {config, constant, has, member, offset};

/// How many bytes a member has.
pub const fn size_of_member<T>(_: fn(&Config) -> &T) -> usize {
    size_of::<T>()
}

/// A constant as the type of its member.
#[inline(always)]
pub fn typed<T: Number>(_: fn(&Config) -> &T, value: u64) -> T {
    T::of(value)
}

/// The types of the members.
pub trait Number {
    /// The lower part of a word.
    fn of(word: u64) -> Self;
}

impl Number for u32 {
    #[inline(always)]
    fn of(word: u64) -> Self {
        // SAFETY: user space writes four bytes, and zeros above them.
        unsafe { core::hint::assert_unchecked(word <= Self::MAX as u64) };
        word as Self
    }
}

impl Number for u64 {
    #[inline(always)]
    fn of(word: u64) -> Self {
        word
    }
}
