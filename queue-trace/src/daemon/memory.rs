//! This process' memory.

use rustix::thread::disable_transparent_huge_pages;

/// After so many readings in a row in which nothing had happened, memory is given back.
const QUIET: u32 = 3;

/// How many readings in a row found that nothing had happened.
#[derive(Debug, Default)]
pub(super) struct Rest(u32);

impl Rest {
    /// Takes notice of a reading, and gives memory back when it has been quiet for long enough.
    pub(super) fn note(&mut self, changed: bool) {
        self.0 = if changed { 0 } else { self.0.saturating_add(1) };
        if self.0 == QUIET {
            give_back();
        }
    }
}

/// Has the kernel not make huge pages of our memory: what is free between what is used would become resident again,
/// up to 2 MiB for each page that is in use. Where the kernel refuses, it takes more memory and works as well.
pub(super) fn by_small_pages() {
    let _ = disable_transparent_huge_pages(true);
}

/// Gives back to the system what is free, which the allocator keeps for the next time: attaching takes the types of
/// the whole kernel apart, some 20 MiB that are never needed again, and a thousand listeners at which something happened
/// leave 5 MiB in pieces.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches only memory that is free, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
