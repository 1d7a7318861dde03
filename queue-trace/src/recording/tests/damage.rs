//! Files that are not whole.

use proptest::prelude::*;

use super::super::{Error, Loss, frame};
use super::{Told, made, read, write};

/// Where each block ends, by the lengths that the blocks have.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![frame::PREAMBLE];
    while let Some(head) = bytes.get(ends[ends.len() - 1]..).and_then(|rest| rest.first_chunk()) {
        let length = frame::Head::parse(head).unwrap().length;
        ends.push(ends[ends.len() - 1] + frame::HEAD + length);
    }
    ends
}

/// A file of every kind of block, as small as may be.
fn small() -> Vec<u8> {
    let mut seconds = made::seconds();
    seconds.iter_mut().for_each(|(events, _)| events.truncate(3));
    write(&seconds)
}

#[test]
fn of_a_file_cut_anywhere_all_whole_blocks_are_read() {
    let bytes = small();
    let (_, whole) = read(&bytes).unwrap();
    let ends = ends(&bytes);
    assert_eq!(*ends.last().unwrap(), bytes.len());
    // By the number of whole blocks: what was told.
    let mut told: Vec<Option<Told>> = vec![None; ends.len()];
    for length in 0..bytes.len() {
        let blocks = ends.iter().filter(|end| **end <= length).count();
        match read(&bytes[..length]) {
            // Without the first block it is nothing.
            Err(Error::Foreign | Error::NoHeader) => assert!(blocks < 2, "{length}"),
            Err(error) => panic!("{length}: {error}"),
            Ok((_, some)) => {
                let left = length - ends[blocks - 1];
                let loss = if left == 0 { Loss::NoEnd } else { Loss::Cut { bytes: left as u64 } };
                assert_eq!(some.loss, Some(loss), "{length}");
                assert!(some.begins(&whole), "{length}");
                let same = told[blocks].get_or_insert_with(|| some.clone());
                assert_eq!((&same.events, &same.snapshots), (&some.events, &some.snapshots));
            }
        }
    }
    // All but the mark of the end is there once the last block but one is.
    let last = told[ends.len() - 1].as_ref().unwrap();
    assert_eq!((&last.events, &last.snapshots), (&whole.events, &whole.snapshots));
    assert!(told.iter().flatten().any(|some| some.events.len() == 3 && some.snapshots.is_empty()));
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let bytes = small();
    let (_, whole) = read(&bytes).unwrap();
    // One of each byte; all of them would take a minute.
    for bit in (0..bytes.len()).map(|byte| byte * 8 + byte % 8) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match read(&flipped) {
            Err(Error::Io(error)) => panic!("{bit}: {error}"),
            Err(_) => assert!(bit / 8 < ends(&bytes)[1], "{bit}"),
            Ok((_, some)) => {
                let Some(Loss::Damaged { at, bytes: lost }) = some.loss else {
                    panic!("{bit}: {:?}", some.loss)
                };
                assert_eq!(at + lost, bytes.len() as u64, "{bit}");
                assert!((at..at + lost).contains(&(bit as u64 / 8)), "{bit}");
                assert!(some.begins(&whole), "{bit}");
            }
        }
    }
}

#[test]
fn what_is_no_recording_is_told_apart_from_a_later_one() {
    let mut bytes = small();
    assert!(matches!(read(b""), Err(Error::Foreign)));
    assert!(matches!(read(b"{\"time\":\"2026\"}\n"), Err(Error::Foreign)));
    bytes[frame::MAGIC.len()] += 1;
    assert!(matches!(read(&bytes), Err(Error::Later(2))));
}

#[test]
fn a_block_of_a_kind_that_is_not_known_is_passed_over() {
    let bytes = small();
    let (_, whole) = read(&bytes).unwrap();
    let after_header = ends(&bytes)[1];
    let mut more = bytes[..after_header].to_vec();
    frame::add_number(&mut more, 200, b"of the future").unwrap();
    more.extend(&bytes[after_header..]);
    assert_eq!(read(&more).unwrap().1, whole);
}

proptest! {
    #[test]
    fn any_payloads_are_read_without_a_panic(blocks in prop::collection::vec(
        (2_u8..6, prop::collection::vec(any::<u8>(), 0..200)), 0..6,
    )) {
        let whole = small();
        let mut bytes = whole[..ends(&whole)[1]].to_vec();
        for (kind, payload) in blocks {
            frame::add_number(&mut bytes, kind, &payload).unwrap();
        }
        let (_, told) = read(&bytes).unwrap();
        prop_assert!(told.events.len() <= 1200);
    }
}
