//! A hash table from names to type ids that stores neither: 8 bytes a name.

/// Marks the end of a chain.
const END: u32 = u32::MAX;

/// Chains of type ids whose names share some bits of their hash.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Index of the first entry of each chain; a power of two of them, or none.
    heads: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    id: u32,
    next: u32,
}

impl Names {
    /// An empty table for about this many names; more only make it slower.
    pub(super) fn with_room_for(names: usize) -> Self {
        Self { heads: vec![END; names.next_power_of_two()], entries: Vec::new() }
    }

    pub(super) fn insert(&mut self, hash: u32, id: u32) {
        let Ok(index) = u32::try_from(self.entries.len()) else { return };
        let mask = self.heads.len().wrapping_sub(1);
        if let Some(head) = self.heads.get_mut(hash as usize & mask) {
            self.entries.push(Entry { id, next: *head });
            *head = index;
        }
    }

    /// Types with a name of this hash, and a few with others; newest first, one id perhaps twice.
    pub(super) fn with_hash(&self, hash: u32) -> impl Iterator<Item = u32> {
        let mask = self.heads.len().wrapping_sub(1);
        let entry = |index: u32| self.entries.get(index as usize);
        let first = self.heads.get(hash as usize & mask).and_then(|&head| entry(head));
        std::iter::successors(first, move |last| entry(last.next)).map(|entry| entry.id)
    }
}

/// Hashes what stands before the first zero byte, or before the end.
///
/// It takes eight bytes at a time and looks for the zero on the way, because hashing every name is
/// most of the work of reading BTF. Names chosen to collide cost a slow lookup, no more.
pub(super) fn hash(text: &[u8]) -> u32 {
    const LOW_BITS: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);
    /// The odd number closest to 2^64 divided by the golden ratio.
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut hash = 0_u64;
    for word in words.iter().chain([&last]).copied().map(u64::from_le_bytes) {
        // Its lowest set bit is the high bit of the first zero byte.
        let zeros = word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS;
        let (kept, ends) = match zeros {
            0 => (word, false),
            _ => (word & ((1 << (zeros.trailing_zeros() - 7)) - 1), true),
        };
        hash = (hash.rotate_left(5) ^ kept).wrapping_mul(MULTIPLIER);
        if ends {
            break;
        }
    }
    // The high bits depend on every bit of the input.
    (hash >> 32) as u32
}
