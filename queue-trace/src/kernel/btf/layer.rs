//! One BTF blob: its header, where each type starts, and which types have which name.

use std::{ffi::CStr, ops::Range};

use super::{
    BtfError,
    names::{self, Names},
    record::{Kind, Record},
};

const MAGIC: [u8; 2] = 0xeb9f_u16.to_le_bytes();

/// Twice what the kernel allows (`KSYM_NAME_LEN`, 512), so that a file of one endless string named
/// by every type costs no more than its size.
const MAX_NAME: usize = 1024;

/// The bytes of one BTF file with an index over them.
#[derive(Debug)]
pub(super) struct Layer {
    bytes: Vec<u8>,
    strings: Range<usize>,
    types: Range<usize>,
    /// The id of its first type: 1, or what follows the base's last.
    pub(super) first_type: u32,
    /// The offset of its first string: 0, or the length of the base's strings.
    pub(super) first_string: u32,
    /// Where each type starts, in words from the start of the type section.
    starts: Vec<u32>,
    pub(super) names: Names,
}

impl Layer {
    /// Reads the header and walks all types once; `base` is the layer below a split one.
    pub(super) fn parse(bytes: Vec<u8>, base: Option<&Self>) -> Result<Self, BtfError> {
        let (types, strings) = sections(&bytes)?;
        let (first_type, first_string) = match base {
            None => (1, 0),
            Some(base) => base.end().ok_or_else(too_many)?,
        };
        let names = Names::with_room_for(types.len() / 64);
        let starts = Vec::new();
        let mut layer = Self { bytes, strings, types, first_type, first_string, starts, names };
        layer.index(base)?;
        Ok(layer)
    }

    fn index(&mut self, base: Option<&Self>) -> Result<(), BtfError> {
        let mut names = std::mem::take(&mut self.names);
        let mut starts = Vec::new();
        let (mut id, mut at) = (self.first_type, 0);
        let words = self.words();
        while let Some(rest) = words.get(at..).filter(|rest| !rest.is_empty()) {
            let (record, length) = Record::parse(rest, id)?;
            for name in indexed_names(&record) {
                let text = self.text(name).or_else(|| base?.text(name));
                let text = text.ok_or_else(BtfError::no_string)?;
                if text.first() != Some(&0) {
                    names.insert(names::hash(text), id);
                }
            }
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            at += length;
            id = id.checked_add(1).ok_or_else(too_many)?;
        }
        (self.names, self.starts) = (names, starts);
        Ok(())
    }

    /// First type id and first string offset of a layer on top of this one.
    fn end(&self) -> Option<(u32, u32)> {
        let types = u32::try_from(self.starts.len()).ok()?;
        let strings = u32::try_from(self.strings.len()).ok()?;
        Some((self.first_type.checked_add(types)?, self.first_string.checked_add(strings)?))
    }

    fn words(&self) -> &[[u8; 4]] {
        self.bytes.get(self.types.clone()).unwrap_or_default().as_chunks().0
    }

    /// The type with this id, which counts from the base's first.
    pub(super) fn record(&self, id: u32) -> Option<Record<'_>> {
        let index = usize::try_from(id.checked_sub(self.first_type)?).ok()?;
        let start = usize::try_from(*self.starts.get(index)?).ok()?;
        Record::parse(self.words().get(start..)?, id).ok().map(|(record, _)| record)
    }

    /// The string at this offset, which counts from the base's first, without its final zero.
    pub(super) fn string(&self, offset: u32) -> Option<&[u8]> {
        Some(CStr::from_bytes_until_nul(self.text(offset)?).ok()?.to_bytes())
    }

    /// What stands at this offset and after it, as far as a name can reach.
    fn text(&self, offset: u32) -> Option<&[u8]> {
        let offset = usize::try_from(offset.checked_sub(self.first_string)?).ok()?;
        let rest = self.bytes.get(self.strings.clone())?.get(offset..)?;
        Some(rest.get(..MAX_NAME).unwrap_or(rest)).filter(|rest| !rest.is_empty())
    }
}

fn too_many() -> BtfError {
    BtfError::Malformed("it has more types or strings than a 32-bit number can count")
}

/// Offsets of the names under which `record` can be asked for.
fn indexed_names(record: &Record<'_>) -> impl Iterator<Item = u32> {
    let named = matches!(record.kind, Kind::Struct | Kind::Union | Kind::Func | Kind::Var);
    let own = named.then_some(record.name);
    own.into_iter().chain(record.enumerators().map(|(name, _)| name))
}

/// Checks the header (`struct btf_header`) and gives the type and string sections.
///
/// Headers longer than the 24 bytes known here are fine: newer fields follow the old ones.
fn sections(bytes: &[u8]) -> Result<(Range<usize>, Range<usize>), BtfError> {
    match bytes.first_chunk() {
        Some(&MAGIC) => {}
        Some([0xeb, 0x9f]) => return Err(BtfError::BigEndian),
        _ => return Err(BtfError::NotBtf),
    }
    let short = || BtfError::Malformed("its header is cut short");
    match bytes.get(2).ok_or_else(short)? {
        1 => {}
        &version => return Err(BtfError::Version(version)),
    }
    let header: &[u8; 24] = bytes.first_chunk().ok_or_else(short)?;
    let (words, _) = header.as_chunks::<4>();
    let &[_, length, types, types_length, strings, strings_length] = words else {
        return Err(short());
    };
    let section = |offset, length_in_bytes| {
        let number = |word| usize::try_from(u32::from_le_bytes(word)).ok();
        let start = number(length)?.checked_add(number(offset)?)?;
        let end = start.checked_add(number(length_in_bytes)?)?;
        (number(length)? >= header.len() && end <= bytes.len()).then_some(start..end)
    };
    let outside = BtfError::Malformed("its sections lie outside the file");
    let (Some(types), Some(strings)) =
        (section(types, types_length), section(strings, strings_length))
    else {
        return Err(outside);
    };
    // What the kernel asks too: every offset inside then starts a string that ends.
    if bytes.get(strings.clone()).is_some_and(|strings| strings.last().is_some_and(|&b| b != 0)) {
        return Err(BtfError::Malformed("its strings do not end with a zero byte"));
    }
    if types.len() % 4 != 0 {
        return Err(BtfError::Malformed("its type section is not made of 32-bit words"));
    }
    Ok((types, strings))
}
