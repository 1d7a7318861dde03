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

/// FNV-1a: names are short, and the table needs no defence against chosen ones.
pub(super) fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
