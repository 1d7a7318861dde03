//! Blocks: each can be told whole from damaged.

use std::io;

/// What every recording begins with. The odd first byte and the line ends show a transfer as text.
pub(super) const MAGIC: [u8; 8] = *b"\x8aQTRACE\n";
/// The version of the framing; the messages in the blocks change without it.
pub(super) const VERSION: u32 = 1;
/// Bytes before the first block.
pub(super) const PREAMBLE: usize = MAGIC.len() + 4;
/// Bytes before a block's payload: its length, its length unpacked, its kind with three zeros, its checksum,
/// and the checksum of these sixteen bytes.
pub(super) const HEAD: usize = 20;
/// No payload is longer, packed or not: what a reader takes memory for.
pub(super) const LONGEST: usize = 64 << 20;
/// Fast, and already half as long as what takes three times as long.
const LEVEL: i32 = 1;

/// What a block carries. Kinds that a reader does not know are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// What the recording is of; the first block.
    Header = 1,
    /// Descriptions of listeners.
    Listeners = 2,
    /// Events.
    Events = 3,
    /// Counters.
    Snapshot = 4,
    /// The last block of a file that was ended as it should.
    End = 5,
    /// What is to be seen around the listeners.
    Census = 6,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Header, Self::Listeners, Self::Events, Self::Snapshot, Self::End, Self::Census]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// Adds what stands before the first block.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
}

/// Adds a block.
pub(super) fn add(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) -> io::Result<()> {
    add_number(out, kind as u8, payload)
}

/// Adds a block of a kind that may be none of ours.
pub(super) fn add_number(out: &mut Vec<u8>, kind: u8, payload: &[u8]) -> io::Result<()> {
    let packed = zstd::bulk::compress(payload, LEVEL)?;
    let length = |bytes: &[u8]| match bytes.len() {
        length @ ..=LONGEST => Ok(length as u32),
        _ => Err(io::Error::other("more listeners than a recording can describe at once")),
    };
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length(&packed)?.to_le_bytes());
    head[4..8].copy_from_slice(&length(payload)?.to_le_bytes());
    head[8] = kind;
    head[12..16].copy_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
    let checksum = crc32c::crc32c(&head[..16]);
    head[16..].copy_from_slice(&checksum.to_le_bytes());
    out.extend(head);
    out.extend(packed);
    Ok(())
}

/// The head of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Bytes of the packed payload.
    pub(super) length: usize,
    unpacked: usize,
    kind: u8,
    checksum: u32,
}

impl Head {
    /// Takes it apart; nothing if it is damaged.
    pub(super) fn parse(bytes: &[u8; HEAD]) -> Option<Self> {
        let ([length, unpacked, kind, checksum, own], _) = bytes.as_chunks() else { return None };
        let head = Self {
            length: u32::from_le_bytes(*length) as usize,
            unpacked: u32::from_le_bytes(*unpacked) as usize,
            kind: kind[0],
            checksum: u32::from_le_bytes(*checksum),
        };
        let whole = crc32c::crc32c(&bytes[..16]) == u32::from_le_bytes(*own);
        (whole && head.length <= LONGEST && head.unpacked <= LONGEST).then_some(head)
    }

    /// What the block carries, if we know, and the payload; nothing if it is damaged.
    pub(super) fn open(&self, packed: &[u8]) -> Option<(Option<Kind>, Vec<u8>)> {
        if crc32c::crc32c(packed) != self.checksum {
            return None;
        }
        let payload = zstd::bulk::decompress(packed, self.unpacked).ok()?;
        let whole = payload.len() == self.unpacked;
        whole.then(|| (Kind::from_number(self.kind), payload))
    }
}
