//! Numbers that look random and follow from a seed.

use std::ops::RangeInclusive;

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for somebody else.
    pub(super) fn split(&mut self) -> Self {
        Self(self.roll())
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from a range.
    pub(super) fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let size = u64::from(range.end() - range.start()) + 1;
        range.start() + (self.roll() % size) as u32
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.within(1..=times) == 1
    }

    /// One of these.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.within(0..=items.len() as u32 - 1) as usize]
    }

    /// The place of one of so many.
    pub(super) fn index(&mut self, count: usize) -> usize {
        self.within(0..=count as u32 - 1) as usize
    }
}
