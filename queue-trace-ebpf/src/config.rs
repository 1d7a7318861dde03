//! Reads the block that user space wrote into `.rodata`.

use queue_trace_common::Config;

/// Replaced by user space before the programs are loaded.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::NONE;

/// Reads one member, volatile, because the compiler must not take the value that stands here at build
/// time.
#[inline(always)]
pub fn value<T: Copy>(member: &'static T) -> T {
    // SAFETY: a reference is valid for reads.
    unsafe { core::ptr::read_volatile(member) }
}

/// The value of one member of [`CONFIG`].
macro_rules! config {
    ($($member:ident).+) => {
        $crate::config::value(&$crate::config::CONFIG.$($member).+)
    };
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
        $crate::config::config!(offsets.$member) != queue_trace_common::MISSING
    };
}

pub(crate) use {config, has, offset};
