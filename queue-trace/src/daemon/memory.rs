//! This process' memory.

/// Gives back to the system what is free: attaching takes the types of the whole kernel apart, some
/// 20 MiB that are never needed again, and the allocator keeps them for the next time.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches only memory that is free, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
