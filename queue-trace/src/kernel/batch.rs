//! Reads many values of an array map with one system call, which aya does not offer.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use aya::Pod;
use aya::maps::{Array, IterableMap, MapData, MapError, PerCpuArray};
use aya::sys::SyscallError;

/// Room for the values of one map, used again for each reading.
#[derive(Debug)]
pub(super) struct Batch<V> {
    keys: Vec<u32>,
    values: Vec<V>,
}

impl<V> Default for Batch<V> {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new() }
    }
}

impl<V: Pod + Default> Batch<V> {
    /// The values of these keys.
    pub(super) fn array(
        &mut self,
        map: &Array<MapData, V>,
        keys: Range<u32>,
    ) -> Result<&[V], MapError> {
        self.read(map.map(), keys, 1)
    }

    /// The values of these keys, for each key those of all `cpus` that are possible.
    pub(super) fn per_cpu(
        &mut self,
        map: &PerCpuArray<MapData, V>,
        keys: Range<u32>,
        cpus: usize,
    ) -> Result<&[V], MapError> {
        // The kernel rounds each CPU's value up to eight bytes.
        const { assert!(size_of::<V>().is_multiple_of(8)) };
        self.read(map.map(), keys, cpus)
    }

    /// `map` has values of type `V`, of which the kernel gives `per_key` for each key.
    fn read(&mut self, map: &MapData, keys: Range<u32>, per_key: usize) -> Result<&[V], MapError> {
        self.keys.resize(keys.len(), 0);
        self.values.resize(keys.len() * per_key, V::default());
        let map = map.fd().as_fd().as_raw_fd();
        if batch(map, &keys, &mut self.keys, &mut self.values).is_err() {
            // Before Linux 5.6, or a per-CPU map before 5.13.
            let values = self.values.chunks_exact_mut(per_key);
            keys.zip(values)
                .try_for_each(|(key, values)| single(map, key, values))
                .map_err(|io_error| SyscallError { call: "bpf_map_lookup_elem", io_error })?;
        }
        Ok(&self.values)
    }
}

/// `BPF_MAP_LOOKUP_ELEM`.
const LOOKUP: libc::c_int = 1;
/// `BPF_MAP_LOOKUP_BATCH`.
const LOOKUP_BATCH: libc::c_int = 24;

/// The member of `union bpf_attr` for one value.
#[repr(C)]
struct One {
    map: u32,
    hole: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The member of `union bpf_attr` for many.
#[repr(C)]
struct Many {
    /// Address of the key after which to begin; null for the first.
    after: u64,
    /// Address to which the last key read is written.
    last: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    value_flags: u64,
    flags: u64,
}

fn batch<V>(map: RawFd, range: &Range<u32>, keys: &mut [u32], values: &mut [V]) -> io::Result<()> {
    let before = range.start.checked_sub(1);
    let mut last = 0_u32;
    let mut request = Many {
        after: before.as_ref().map_or(0, address),
        last: (&raw mut last).addr() as u64,
        keys: keys.as_mut_ptr().addr() as u64,
        values: values.as_mut_ptr().addr() as u64,
        count: range.len() as u32,
        map: map.cast_unsigned(),
        value_flags: 0,
        flags: 0,
    };
    // SAFETY: the kernel writes `count` keys and as many values, for which there is room, and to
    // `last`; any bytes are a value. All of it lives until the call returns.
    unsafe { bpf(LOOKUP_BATCH, &mut request)? };
    if request.count as usize == range.len() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

fn single<V>(map: RawFd, key: u32, values: &mut [V]) -> io::Result<()> {
    let value = values.as_mut_ptr().addr() as u64;
    let mut request =
        One { map: map.cast_unsigned(), hole: 0, key: address(&key), value, flags: 0 };
    // SAFETY: the kernel reads the key and writes the values of one key, for which there is room; any
    // bytes are a value.
    unsafe { bpf(LOOKUP, &mut request) }
}

fn address(key: &u32) -> u64 {
    std::ptr::from_ref(key).addr() as u64
}

/// # Safety
///
/// What the request points to must be there and have the size that the kernel takes it to have.
unsafe fn bpf<R>(command: libc::c_int, request: &mut R) -> io::Result<()> {
    // SAFETY: the kernel reads and writes no more of the request than its size; the rest is the
    // caller's promise.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(request), size_of::<R>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_batches_answers_one_by_one() {
        // Where maps cannot be made there is nothing to test.
        let Ok(mut map) = Array::<_, u64>::create(10, 0) else { return };
        (0..10).for_each(|key| map.set(key, u64::from(key) * 3, 0).unwrap());
        let mut many = Batch::default();
        assert_eq!(many.array(&map, 0..10).unwrap()[9], 27);
        assert_eq!(many.array(&map, 4..7).unwrap(), [12, 15, 18]);
        let descriptor = map.map().fd().as_fd().as_raw_fd();
        let mut one = [0_u64];
        single(descriptor, 5, &mut one).unwrap();
        assert_eq!(one, [15]);
        // Beyond the end neither way finds anything.
        assert!(batch(descriptor, &(8..12), &mut [0; 4], &mut [0_u64; 4]).is_err());
        assert!(many.array(&map, 8..12).is_err());
    }
}
