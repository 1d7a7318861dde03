//! Blocks with good checksums and any payload: what the fuzz target does, for a bounded number of rounds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{Reader, Step, frame};
use super::{made, write};
use crate::source::recorded_census;

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => *at.get_mut(bytes) = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        1 => at().prop_map(Change::Remove),
        1 => at().prop_map(Change::Cut),
    ]
}

/// The kind and the payload of each block.
fn blocks(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &bytes[frame::PREAMBLE..];
    let mut blocks = Vec::new();
    while let Some(bytes) = rest.first_chunk() {
        let head = frame::Head::parse(bytes).unwrap();
        let (packed, next) = rest[frame::HEAD..].split_at(head.length);
        let (kind, payload) = head.open(packed).unwrap();
        blocks.push((kind.unwrap() as u8, payload));
        rest = next;
    }
    blocks
}

/// Reads to the end, and all that there is to be had.
fn read_all(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    while !matches!(reader.read(|_, _| true), Ok(Step::End) | Err(_)) {
        let _ = reader.snapshot();
        let _ = reader.census().cloned().map(recorded_census);
    }
    let _ = reader.loss().map(|loss| loss.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_payload_is_survived(
        which in any::<Index>(),
        kind in prop::option::weighted(0.2, 0_u8..8),
        changes in vec(change(), 1..6),
    ) {
        let mut blocks = blocks(&write(&made::seconds()));
        let (own, payload) = which.get_mut(&mut blocks);
        changes.iter().for_each(|change| change.apply(payload));
        *own = kind.unwrap_or(*own);
        let mut file = Vec::new();
        frame::begin(&mut file);
        for (kind, payload) in &blocks {
            frame::add_number(&mut file, *kind, payload).unwrap();
        }
        read_all(&file);
    }
}
