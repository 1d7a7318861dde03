//! Finds the `.BTF` section of an ELF file without reading the rest of it.

use std::io::{self, Read, Seek, SeekFrom};

const NAME: &[u8] = b".BTF\0";

/// Sizes of `Elf64_Ehdr` and `Elf64_Shdr`.
const HEADER: usize = 64;
const SECTION: u64 = 64;

/// What a file turned out to be.
pub(super) enum Found {
    /// It now stands at the start of the section.
    Section {
        /// Bytes in it.
        length: u64,
    },
    /// A 64-bit little-endian ELF file without one.
    NoSection,
    /// Something else.
    NotElf,
}

/// Looks for the section and leaves `file` at its start.
pub(super) fn btf_section(file: &mut (impl Read + Seek)) -> io::Result<Found> {
    let mut header = Vec::with_capacity(HEADER);
    file.take(HEADER as u64).read_to_end(&mut header)?;
    // 64-bit, little-endian.
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(Found::NotElf);
    }
    let table = number::<8>(&header, 0x28);
    let count = number::<2>(&header, 0x3c);
    let names_index = number::<2>(&header, 0x3e);
    let names = section(file, table, names_index)?.0;
    for index in 0..count {
        let (start, length, name) = section(file, table, index)?;
        let mut found = [0; NAME.len()];
        file.seek(SeekFrom::Start(names.saturating_add(name)))?;
        // The last names may be shorter than what is read here.
        if file.read_exact(&mut found).is_ok() && found == NAME {
            file.seek(SeekFrom::Start(start))?;
            return Ok(Found::Section { length });
        }
    }
    Ok(Found::NoSection)
}

/// File offset, length and offset of the name of one section.
fn section(file: &mut (impl Read + Seek), table: u64, index: u64) -> io::Result<(u64, u64, u64)> {
    let mut header = [0; SECTION as usize];
    file.seek(SeekFrom::Start(table.saturating_add(index.saturating_mul(SECTION))))?;
    file.read_exact(&mut header)?;
    Ok((number::<8>(&header, 0x18), number::<8>(&header, 0x20), number::<4>(&header, 0)))
}

/// The little-endian number of `N` bytes at an offset; 0 where the file is too short.
fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    field.map_or(0, |field| field.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}
