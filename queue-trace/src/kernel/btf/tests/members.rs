//! Members by path: nesting, bit fields, sizes, split BTF.

use super::{
    super::{Bits, Btf, BtfError, Member},
    builder::{ARRAY, Builder, CONST, PTR, STRUCT, TYPE_TAG, TYPEDEF, UNION, VOLATILE},
};

fn plain(offset: u32, size: u32) -> Member {
    Member { offset, size, bits: None }
}

fn bits(offset: u32, size: u32, first: u8, width: u8) -> Member {
    Member { offset, size, bits: Some(Bits { first, width }) }
}

fn at(btf: &Btf, structure: &str, path: &str) -> Member {
    btf.member(structure, path).unwrap()
}

/// Like `struct sock`: `{ struct sock_common { union { long pair; struct { int a, b; }; }; } c; }`.
fn nested() -> Builder {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let long = builder.int("long", 8);
    let pair = builder.composite(STRUCT, "", 8, &[("a", int, 0), ("b", int, 32)]);
    let either = builder.composite(UNION, "", 8, &[("pair", long, 0), ("", pair, 0)]);
    let common = builder.composite(STRUCT, "common", 16, &[("head", long, 0), ("", either, 64)]);
    builder.composite(STRUCT, "sock", 24, &[("first", long, 0), ("c", common, 64)]);
    builder
}

#[test]
fn anonymous_members_are_transparent() {
    let btf = nested().build();
    assert_eq!(at(&btf, "common", "pair"), plain(8, 8));
    assert_eq!(at(&btf, "common", "b"), plain(12, 4));
    assert_eq!(at(&btf, "sock", "c.b"), plain(20, 4));
    assert_eq!(at(&btf, "sock", "c"), plain(8, 16));
    assert_eq!(btf.struct_size("sock").unwrap(), 24);
}

#[test]
fn absence_is_told_in_one_line() {
    let btf = nested().build();
    assert!(btf.has_struct("sock") && !btf.has_struct("int") && !btf.has_struct(""));
    assert!(btf.has_member("sock", "c.a") && !btf.has_member("sock", "a"));
    for path in ["", ".", "c.", ".c", "c.pair.a", "c.nothing"] {
        let error = btf.member("sock", path).unwrap_err();
        let expected = format!("this kernel's BTF has no member `{path}` in `struct sock`");
        assert_eq!(error.to_string(), expected);
    }
    let error = btf.member("socket", "c").unwrap_err();
    assert_eq!(error.to_string(), "this kernel's BTF has no `struct socket`");
    assert!(matches!(btf.struct_size("socket"), Err(BtfError::NoStruct { .. })));
}

#[test]
fn typedefs_and_qualifiers_are_followed() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let inner = builder.composite(STRUCT, "", 4, &[("counter", int, 0)]);
    let volatile = builder.link(VOLATILE, "", inner);
    let tag = builder.link(TYPE_TAG, "user", volatile);
    let constant = builder.link(CONST, "", tag);
    let atomic = builder.link(TYPEDEF, "atomic_t", constant);
    builder.composite(STRUCT, "queue", 8, &[("pad", int, 0), ("len", atomic, 32)]);
    let btf = builder.build();
    assert_eq!(at(&btf, "queue", "len"), plain(4, 4));
    assert_eq!(at(&btf, "queue", "len.counter"), plain(4, 4));
}

#[test]
fn pointers_and_arrays_have_sizes_but_no_members() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let inner = builder.composite(STRUCT, "inner", 4, &[("x", int, 0)]);
    let pointer = builder.link(PTR, "", inner);
    let row = builder.array(inner, 3);
    let matrix = builder.array(row, 5);
    let open = builder.array(pointer, 0);
    let members = [("p", pointer, 0), ("m", matrix, 64), ("open", open, 544)];
    builder.composite(STRUCT, "outer", 72, &members);
    let btf = builder.build();
    assert_eq!(at(&btf, "outer", "p"), plain(0, 8));
    assert_eq!(at(&btf, "outer", "m"), plain(8, 60));
    assert_eq!(at(&btf, "outer", "open"), plain(68, 0));
    assert!(!btf.has_member("outer", "p.x") && !btf.has_member("outer", "m.x"));
}

#[test]
fn bit_fields_with_widths_in_the_structure() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let fields = [("a", int, 0, 3), ("", int, 3, 5), ("b", int, 14, 4), ("whole", int, 32, 0)];
    let inner = builder.bit_fields("inner", 8, &fields);
    builder.composite(STRUCT, "outer", 16, &[("i", inner, 64)]);
    let btf = builder.build();
    assert_eq!(at(&btf, "inner", "a"), bits(0, 1, 0, 3));
    assert_eq!(at(&btf, "inner", "b"), bits(1, 2, 6, 4));
    assert_eq!(at(&btf, "inner", "whole"), plain(4, 4));
    assert_eq!(at(&btf, "outer", "i.b"), bits(9, 2, 6, 4));
}

#[test]
fn bit_fields_with_widths_in_the_integer() {
    let mut builder = Builder::new();
    let byte = builder.int("u8", 1);
    let three = builder.int_bits("u8", 1, 0, 3);
    let shifted = builder.int_bits("u32", 4, 9, 5);
    let alias = builder.link(TYPEDEF, "flag_t", three);
    let members =
        [("whole", byte, 0), ("low", three, 8), ("high", alias, 11), ("far", shifted, 32)];
    builder.composite(STRUCT, "s", 8, &members);
    let btf = builder.build();
    assert_eq!(at(&btf, "s", "whole"), plain(0, 1));
    assert_eq!(at(&btf, "s", "low"), bits(1, 1, 0, 3));
    assert_eq!(at(&btf, "s", "high"), bits(1, 1, 3, 3));
    assert_eq!(at(&btf, "s", "far"), bits(5, 1, 1, 5));
}

#[test]
fn equal_names_must_agree() {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    builder.composite(STRUCT, "s", 8, &[("same", int, 0), ("moved", int, 32)]);
    builder.composite(STRUCT, "s", 8, &[("same", int, 0), ("other", int, 32), ("moved", int, 64)]);
    let btf = builder.build();
    assert_eq!(at(&btf, "s", "same"), plain(0, 4));
    assert_eq!(btf.struct_size("s").unwrap(), 8);
    for path in ["moved", "other"] {
        assert!(matches!(btf.member("s", path), Err(BtfError::Ambiguous { .. })));
    }
    assert!(matches!(btf.member("s", "none"), Err(BtfError::NoMember { .. })));
}

#[test]
fn split_btf_continues_its_base() {
    let base = nested();
    let mut module = base.module();
    let byte = module.int("u8", 1);
    let array = module.raw("", ARRAY << 24, 0, &[byte, 0, 7]);
    // Type 5 and the string at 1 are the base's: `struct common`, and the name of its integer.
    let common = 5;
    module.composite(STRUCT, "mine", 32, &[("theirs", common, 64), ("bytes", array, 192)]);
    module.raw("int_holder", STRUCT << 24 | 1, 4, &[1, 1, 0]);

    let kernel = base.build();
    let both = kernel.split(module.bytes()).unwrap();
    assert_eq!(at(&both, "mine", "theirs.b"), plain(20, 4));
    assert_eq!(at(&both, "mine", "bytes"), plain(24, 7));
    assert_eq!(at(&both, "int_holder", "int"), plain(0, 4));
    assert_eq!(at(&both, "sock", "c.b"), plain(20, 4));
    assert!(!kernel.has_struct("mine"));

    // On its own, the module's strings lie nowhere.
    assert!(matches!(Btf::from_bytes(module.bytes()), Err(BtfError::Malformed(_))));
}
