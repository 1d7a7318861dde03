//! The values of an array map, in memory that the kernel side and we share.
//!
//! Nothing of this is a system call. That is faster, and more: while a `bpf()` call reads or writes a map,
//! the kernel skips every kprobe program on that CPU (`bpf_disable_instrumentation`), for as long as the
//! caller is preempted if it is. Reading must not blind.

use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::Pod;
use aya::maps::{Array, IterableMap, MapData, MapError};
use aya::sys::SyscallError;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// What values are made of: the kernel rounds their size up to this.
const WORD: usize = size_of::<u64>();

/// An array map with `BPF_F_MMAPABLE`, mapped into this process. The mapping keeps the map alive.
#[derive(Debug)]
pub struct Shared<V> {
    words: NonNull<AtomicU64>,
    bytes: usize,
    values: u32,
    value: PhantomData<V>,
}

// SAFETY: the words are atomic, and the mapping is as good in another thread.
unsafe impl<V: Send> Send for Shared<V> {}
// SAFETY: as above.
unsafe impl<V: Sync> Sync for Shared<V> {}

impl<V: Pod> Shared<V> {
    const WORDS: usize = size_of::<V>() / WORD;

    /// Maps an array.
    ///
    /// # Errors
    ///
    /// When the kernel refuses: the map was made without `BPF_F_MMAPABLE`, or memory is short.
    pub fn new(map: &Array<MapData, V>) -> Result<Self, MapError> {
        Self::within(map.map(), map.len())
    }

    /// Maps the values that lie in an array one after the other, as its own ones or within its only one.
    ///
    /// # Errors
    ///
    /// As [`Self::new`]; also when there are less of them.
    pub(super) fn within(map: &MapData, values: u32) -> Result<Self, MapError> {
        const { assert!(size_of::<V>().is_multiple_of(WORD)) };
        let page = rustix::param::page_size();
        let bytes = (values as usize * size_of::<V>()).next_multiple_of(page);
        let (protection, file) = (ProtFlags::READ | ProtFlags::WRITE, map.fd().as_fd());
        // SAFETY: a new mapping at an address that the kernel chooses takes nobody's memory.
        let address =
            unsafe { mmap(std::ptr::null_mut(), bytes, protection, MapFlags::SHARED, file, 0) }
                .map_err(|error| SyscallError { call: "mmap", io_error: error.into() })?;
        let words = NonNull::new(address.cast()).ok_or_else(|| SyscallError {
            call: "mmap",
            io_error: io::ErrorKind::AddrNotAvailable.into(),
        })?;
        Ok(Self { words, bytes, values, value: PhantomData })
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.values
    }

    /// Whether there are none, which the kernel does not allow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values == 0
    }

    /// A value. The kernel side may be writing it: each word is whole, several need not belong together.
    ///
    /// # Panics
    ///
    /// When there is no such value.
    #[must_use]
    pub fn get(&self, index: u32) -> V {
        let mut value = std::mem::MaybeUninit::<V>::uninit();
        for (at, word) in self.words_of(index).iter().enumerate() {
            let word = word.load(Ordering::Relaxed).to_ne_bytes();
            // SAFETY: there are as many words in the value; bytes need no alignment.
            unsafe { value.as_mut_ptr().cast::<[u8; WORD]>().add(at).write(word) };
        }
        // SAFETY: all of its bytes were written, and any bytes are a value of what is `Pod`.
        unsafe { value.assume_init() }
    }

    /// The sum of the first words of a value, wrapping: the same while none of them grows.
    ///
    /// # Panics
    ///
    /// When there is no such value.
    #[must_use]
    pub fn sum(&self, index: u32, words: usize) -> u64 {
        let words = self.words_of(index).iter().take(words);
        words.fold(0, |sum, word| sum.wrapping_add(word.load(Ordering::Relaxed)))
    }

    /// One word of a value, to be shared with the kernel side in an order.
    ///
    /// # Panics
    ///
    /// When there is no such value or no such word.
    pub(super) fn word(&self, index: u32, at: usize) -> &AtomicU64 {
        &self.words_of(index)[at]
    }

    /// Writes a value, a word at a time.
    ///
    /// # Panics
    ///
    /// When there is no such value.
    pub fn set(&self, index: u32, value: V) {
        for (at, word) in self.words_of(index).iter().enumerate() {
            // SAFETY: there are as many words in the value; bytes need no alignment.
            let bytes = unsafe { (&raw const value).cast::<[u8; WORD]>().add(at).read() };
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }

    /// Writes the first word of a value, of which the rest is not ours to write.
    ///
    /// # Panics
    ///
    /// When there is no such value.
    pub fn set_first_word(&self, index: u32, word: u64) {
        self.word(index, 0).store(word, Ordering::Relaxed);
    }

    fn words_of(&self, index: u32) -> &[AtomicU64] {
        assert!(index < self.values, "there is no value {index}");
        // SAFETY: the words lie within the mapping, which lives as long as `self`, and every access of
        // this process to them is atomic.
        unsafe {
            let first = self.words.add(index as usize * Self::WORDS);
            std::slice::from_raw_parts(first.as_ptr(), Self::WORDS)
        }
    }
}

impl<V> Drop for Shared<V> {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nothing that borrows from it outlives `self`. Failing, it stays.
        let _ = unsafe { munmap(self.words.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{Control, FullTime};

    use super::*;

    #[test]
    fn what_is_written_here_is_in_the_map_and_the_other_way_round() {
        // Where maps cannot be made there is nothing to test.
        let Ok(mut map) = Array::create(100, super::super::maps::MMAPABLE) else { return };
        let shared = Shared::new(&map).unwrap();
        let value = |n: u64| FullTime { accept_ns: n, oldest_ns: n + 1, ..FullTime::default() };
        shared.set(99, value(7));
        assert_eq!(map.get(&99, 0).unwrap(), value(7));
        map.set(98, value(9), 0).unwrap();
        drop(map);
        assert_eq!(shared.get(98), value(9));
        assert_eq!((shared.get(0), shared.len()), (FullTime::default(), 100));
    }

    #[test]
    fn the_first_word_is_written_alone() {
        let Ok(mut map) = Array::create(1, super::super::maps::MMAPABLE) else { return };
        let before = Control { armed: 1, period: 2, closings: 3, ..Control::default() };
        map.set(0, before, 0).unwrap();
        let after = Control { armed: 4, period: 5, ..before };
        Shared::new(&map).unwrap().set_first_word(0, after.word());
        assert_eq!(map.get(&0, 0).unwrap(), after);
    }

    #[test]
    fn a_map_that_cannot_be_shared_is_an_error() {
        let Ok(map) = Array::<_, u64>::create(1, 0) else { return };
        assert!(Shared::new(&map).is_err());
    }
}
