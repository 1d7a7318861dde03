//! Every member of every structure of real kernels, compared with what btf-rs reads.
//!
//! The running kernel is one; `QUEUE_TRACE_TEST_BTF` may name a folder with more (`*.btf`).

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use btf_rs::{BtfType, Type};

use super::super::{Btf, Member};

fn files() -> Vec<PathBuf> {
    let more = std::env::var_os("QUEUE_TRACE_TEST_BTF").into_iter();
    more.flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "btf"))
        .chain([PathBuf::from("/sys/kernel/btf/vmlinux")])
        .filter(|path| path.exists())
        .collect()
}

/// Offset and width in bits of a member, as the oracle lists it.
type Place = (u32, Option<u32>);

/// Named members of one structure, anonymous ones opened.
fn members(oracle: &btf_rs::Btf, composite: &btf_rs::Struct, base: u32) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    for member in &composite.members {
        let name = oracle.resolve_name(member).unwrap();
        let offset = base + member.bit_offset();
        if !name.is_empty() {
            found.push((name, (offset, member.bitfield_size().filter(|&width| width > 0))));
        } else if let Some(inner) = behind_aliases(oracle, member) {
            found.extend(members(oracle, &inner, offset));
        }
    }
    found
}

fn behind_aliases(oracle: &btf_rs::Btf, from: &dyn BtfType) -> Option<btf_rs::Struct> {
    let mut next = oracle.resolve_chained_type(from).ok()?;
    loop {
        next = match &next {
            Type::Struct(inner) | Type::Union(inner) => return Some(inner.clone()),
            Type::Typedef(_) | Type::Const(_) | Type::Volatile(_) | Type::TypeTag(_) => {
                oracle.resolve_chained_type(next.as_btf_type()?).ok()?
            }
            _ => return None,
        };
    }
}

fn place(member: Member) -> Place {
    let first = member.bits.map_or(0, |bits| u32::from(bits.first));
    (member.offset * 8 + first, member.bits.map(|bits| u32::from(bits.width)))
}

/// What the oracle knows, by name.
#[derive(Default)]
struct Known {
    structures: HashMap<String, Vec<btf_rs::Struct>>,
    functions: HashMap<String, usize>,
    enumerators: HashMap<String, HashSet<i64>>,
}

fn known(oracle: &btf_rs::Btf) -> Known {
    let mut known = Known::default();
    for found in (1..).map_while(|id| oracle.resolve_type_by_id(id).ok()) {
        match found {
            Type::Struct(found) | Type::Union(found) => {
                let name = oracle.resolve_name(&found).unwrap();
                known.structures.entry(name).or_default().push(found);
            }
            Type::Func(found) => {
                *known.functions.entry(oracle.resolve_name(&found).unwrap()).or_default() += 1;
            }
            Type::Enum(found) => {
                for value in &found.members {
                    let (name, bits) = (oracle.resolve_name(value).unwrap(), value.val());
                    let signed = found.is_signed();
                    let number = if signed { i64::from(bits as i32) } else { i64::from(bits) };
                    known.enumerators.entry(name).or_default().insert(number);
                }
            }
            _ => {}
        }
    }
    known
}

fn compare(path: &PathBuf) -> usize {
    let oracle = btf_rs::Btf::from_file(path).unwrap();
    let ours = Btf::from_file(path).unwrap();
    let known = known(&oracle);
    for (name, count) in known.functions {
        assert_eq!(ours.function(&name).unwrap().ambiguous, count > 1, "{name}");
    }
    for (name, numbers) in known.enumerators {
        let only = (numbers.len() == 1).then(|| *numbers.iter().next().unwrap());
        assert_eq!(ours.enum_value(&name), only, "{name}");
    }
    let mut compared = 0;
    for (name, definitions) in &known.structures {
        // Private structures of equal name are the subject of `equal_names_must_agree`.
        let ([definition], false) = (definitions.as_slice(), name.is_empty()) else { continue };
        assert_eq!(ours.struct_size(name).unwrap() as usize, definition.size(), "{name}");
        for (member, expected) in members(&oracle, definition, 0) {
            let found = ours.member(name, &member).unwrap();
            assert_eq!(place(found), expected, "{name}.{member} of {path:?}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn agrees_with_another_reader() {
    for path in files() {
        let compared = compare(&path);
        eprintln!("{}: {compared} members equal", path.display());
        assert!(compared > 10_000, "{path:?} has only {compared} members");
    }
}
