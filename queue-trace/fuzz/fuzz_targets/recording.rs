//! The reader of recordings: bytes as a file, and as the payload of each kind of block, which a fuzzer would
//! never get past the checksums.
#![no_main]

use libfuzzer_sys::fuzz_target;
use queue_trace::recording::{Reader, Step};

#[expect(dead_code, reason = "blocks are only added here")]
#[path = "../../src/recording/frame.rs"]
mod frame;

/// A recording whose first block has all names.
const WHOLE: &[u8] = include_bytes!("../../tests/recording/version1.qtrace");

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if let Some((kind, payload)) = bytes.split_first()
        && let Some(file) = with_block(kind % 8, payload)
    {
        read(&file);
    }
});

/// What a file begins with, and one block.
fn with_block(kind: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let head = frame::Head::parse(WHOLE.get(frame::PREAMBLE..)?.first_chunk()?)?;
    let mut file = WHOLE.get(..frame::PREAMBLE + frame::HEAD + head.length)?.to_vec();
    frame::add_number(&mut file, kind, payload).ok()?;
    Some(file)
}

fn read(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    while !matches!(reader.read(|_, _| true), Ok(Step::End) | Err(_)) {
        let _ = reader.snapshot();
    }
    let _ = reader.loss().map(|loss| loss.to_string());
}
