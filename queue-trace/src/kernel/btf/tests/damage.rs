//! Malformed input: an error that says what it is, and never a panic.

use std::io::Cursor;

use proptest::prelude::*;

use super::{
    super::{Btf, BtfError, elf},
    builder::{Builder, PTR, STRUCT, TYPEDEF},
    kernels,
};

/// Asks everything that the table knows; what it answers does not matter here.
fn interrogate(bytes: Vec<u8>) {
    let Ok(btf) = Btf::from_bytes(bytes.clone()) else { return };
    for (kind, name, _) in kernels::rows() {
        kernels::answer(&btf, kind, name);
    }
    if let Ok(both) = btf.split(bytes) {
        kernels::answer(&both, "member", "sock.__sk_common.skc_family");
    }
}

fn message(bytes: Vec<u8>) -> String {
    Btf::from_bytes(bytes).unwrap_err().to_string()
}

/// A valid file with one byte changed.
fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = kernels::newest();
    bytes[at] = byte;
    bytes
}

#[test]
fn headers_that_are_not_ours() {
    assert!(matches!(Btf::from_bytes(Vec::new()), Err(BtfError::NotBtf)));
    assert!(message(b"\x7fELF and so on".to_vec()).starts_with("this is not BTF"));
    assert!(message(vec![0xeb, 0x9f, 0, 1]).starts_with("this BTF is big-endian"));
    assert_eq!(message(with(2, 9)), "this BTF has version 9, and only version 1 is known");
    assert_eq!(message(vec![0x9f, 0xeb, 1]), "this BTF is damaged: its header is cut short");
    // Header length, and offsets and lengths of both sections.
    for at in [7, 11, 15, 19, 23] {
        assert_eq!(
            message(with(at, 0xff)),
            "this BTF is damaged: its sections lie outside the file"
        );
    }
    assert!(message(with(4, 23)).ends_with("its sections lie outside the file"));
}

#[test]
fn a_longer_header_is_accepted() {
    let mut bytes = Builder::new().bytes();
    bytes[4] = 32;
    bytes.splice(24..24, [0; 8]);
    assert!(Btf::from_bytes(bytes).is_ok());
}

#[test]
fn an_unknown_kind_is_named() {
    let mut builder = Builder::new();
    builder.int("int", 4);
    builder.raw("new", 20 << 24, 0, &[]);
    let expected = "this BTF has a type of kind 20 (type id 2), and only kinds 1 to 19 are known";
    assert_eq!(message(builder.bytes()), expected);
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = kernels::newest();
    for length in 0..bytes.len() {
        assert!(Btf::from_bytes(bytes[..length].to_vec()).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn references_that_lead_nowhere() {
    let mut builder = Builder::new();
    let myself = 1;
    builder.link(TYPEDEF, "loop", myself);
    let pointer = builder.link(PTR, "", 99);
    builder.composite(STRUCT, "s", 8, &[("loop", myself, 0), ("gone", 99, 0), ("p", pointer, 0)]);
    builder.composite(STRUCT, "itself", 8, &[("", 4, 0), ("", 4, 64)]);
    builder.composite(STRUCT, "void", 8, &[("nothing", 0, 0)]);
    let btf = builder.build();
    let error = |structure, path| btf.member(structure, path).unwrap_err().to_string();
    assert_eq!(error("s", "loop"), "this BTF is damaged: a chain of typedefs does not end");
    assert_eq!(error("s", "gone"), "this BTF is damaged: a type id does not exist");
    assert_eq!(error("itself", "x"), "this BTF is damaged: a structure nests without an end");
    assert_eq!(error("void", "nothing"), "this BTF is damaged: a member has a type without a size");
    assert_eq!(btf.member("s", "p").unwrap().size, 8);
}

#[test]
fn sizes_beyond_32_bits_are_errors() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let row = builder.array(int, u32::MAX);
    let square = builder.array(row, u32::MAX);
    let cube = builder.array(square, u32::MAX);
    let far = builder.composite(STRUCT, "far", 8, &[("x", int, u32::MAX - 7)]);
    builder.composite(STRUCT, "s", 8, &[("cube", cube, 0), ("far", far, u32::MAX - 7)]);
    let btf = builder.build();
    assert!(btf.member("s", "cube").is_err());
    assert_eq!(btf.member("s", "far.x").unwrap().offset, (u32::MAX - 7) / 8 * 2);
}

/// Changes one to four bytes at places and to values that look random but are always the same.
#[test]
fn mutations_never_panic() {
    let valid = kernels::newest();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below
    };
    for _ in 0..800 {
        let mut bytes = valid.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        interrogate(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let mut headed = Builder::new().bytes();
        headed.splice(24.., bytes.iter().copied());
        interrogate(headed);
        drop(elf::btf_section(&mut Cursor::new(&bytes)));
        interrogate(bytes);
    }

    #[test]
    fn random_types_never_panic(
        words in prop::collection::vec((0_u32..40, 1_u32..20, 0_u32..4, any::<[u8; 2]>()), 0..60),
    ) {
        let mut builder = Builder::new();
        builder.string("sock");
        builder.string("__sk_common");
        for (number, kind, entries, [flag, small]) in words {
            let info = u32::from(flag & 1) << 31 | kind << 24 | entries;
            builder.raw("sock", info, number, &[1, u32::from(small), number, 6, 2, 8, 1, 3]);
        }
        interrogate(builder.bytes());
    }
}

/// A minimal ELF file: header, names, the BTF, and three section headers.
fn elf_file(btf: &[u8], name: &[u8]) -> Vec<u8> {
    let names = [b"\0", name, b"\0.shstrtab\0"].concat();
    let mut bytes = [b"\x7fELF\x02\x01".as_slice(), &[0; 58]].concat();
    let (names_at, btf_at) = (64, 64 + names.len());
    bytes.extend(&names);
    bytes.extend(btf);
    let table = bytes.len() as u64;
    for (name, at, length) in [(0, 0, 0), (1, btf_at, btf.len()), (2, names_at, names.len())] {
        let mut section = [0; 64];
        section[0] = name;
        section[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
        section[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
        bytes.extend(section);
    }
    bytes[0x28..0x30].copy_from_slice(&table.to_le_bytes());
    bytes[0x3c] = 3;
    bytes[0x3e] = 2;
    bytes
}

#[test]
fn files_are_raw_or_elf() {
    let path = std::env::temp_dir().join(format!("queue-trace-btf-{}", std::process::id()));
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Btf::from_file(&path)
    };
    let btf = kernels::newest();
    assert!(read(&btf).unwrap().has_struct("sock"));
    assert!(read(&elf_file(&btf, b".BTF")).unwrap().has_struct("sock"));
    assert!(matches!(read(&elf_file(&btf, b".BTF.ext")), Err(BtfError::NoSection { .. })));
    assert!(matches!(read(b"a text"), Err(BtfError::NotBtf)));
    assert!(matches!(read(b"\x7fELF\x02\x01 cut"), Err(BtfError::Read { .. })));
    assert!(matches!(read(&elf_file(&[], b".BTF")), Err(BtfError::NotBtf)));
    std::fs::remove_file(&path).unwrap();
    let error = Btf::from_file(&path).unwrap_err().to_string();
    assert!(error.starts_with("cannot read BTF from /") && error.contains("No such file"));
}
