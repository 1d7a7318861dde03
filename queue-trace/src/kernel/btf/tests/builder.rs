//! Writes small BTF files for the tests.

use super::super::Btf;

pub(super) const INT: u32 = 1;
pub(super) const PTR: u32 = 2;
pub(super) const ARRAY: u32 = 3;
pub(super) const STRUCT: u32 = 4;
pub(super) const UNION: u32 = 5;
pub(super) const ENUM: u32 = 6;
pub(super) const TYPEDEF: u32 = 8;
pub(super) const VOLATILE: u32 = 9;
pub(super) const CONST: u32 = 10;
pub(super) const FUNC: u32 = 12;
pub(super) const FUNC_PROTO: u32 = 13;
pub(super) const VAR: u32 = 14;
pub(super) const TYPE_TAG: u32 = 18;
pub(super) const ENUM64: u32 = 19;

const KIND_FLAG: u32 = 1 << 31;

/// Collects types and strings; types get ids from 1 on, or from where a base ends.
#[derive(Clone)]
pub(in crate::kernel) struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    next_id: u32,
    first_string: u32,
}

impl Builder {
    pub(in crate::kernel) fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0], next_id: 1, first_string: 0 }
    }

    /// A builder for BTF split from what `self` builds.
    pub(super) fn module(&self) -> Self {
        Self {
            types: Vec::new(),
            strings: Vec::new(),
            next_id: self.next_id,
            first_string: u32::try_from(self.strings.len()).unwrap(),
        }
    }

    pub(super) fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let offset = self.first_string + u32::try_from(self.strings.len()).unwrap();
        self.strings.extend(text.bytes().chain([0]));
        offset
    }

    /// Any type: its kind, how many list entries, and the words that follow.
    pub(super) fn raw(&mut self, name: &str, info: u32, size_or_type: u32, tail: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, info, size_or_type].iter().chain(tail) {
            self.types.extend(word.to_le_bytes());
        }
        self.next_id += 1;
        self.next_id - 1
    }

    pub(in crate::kernel) fn int(&mut self, name: &str, size: u32) -> u32 {
        self.raw(name, INT << 24, size, &[size * 8])
    }

    /// An integer that uses only some of its bits: the old encoding of bit fields.
    pub(super) fn int_bits(&mut self, name: &str, size: u32, first: u32, width: u32) -> u32 {
        self.raw(name, INT << 24, size, &[first << 16 | width])
    }

    /// A pointer, typedef, qualifier or function: what only refers to another type.
    pub(super) fn link(&mut self, kind: u32, name: &str, to: u32) -> u32 {
        self.raw(name, kind << 24, to, &[])
    }

    pub(super) fn array(&mut self, element: u32, count: u32) -> u32 {
        self.raw("", ARRAY << 24, 0, &[element, 0, count])
    }

    /// A structure or union of (name, type, offset in bits).
    pub(super) fn composite(
        &mut self,
        kind: u32,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32)],
    ) -> u32 {
        let tail: Vec<u32> = members
            .iter()
            .flat_map(|&(name, type_id, offset)| [self.string(name), type_id, offset])
            .collect();
        self.raw(name, kind << 24 | u32::try_from(members.len()).unwrap(), size, &tail)
    }

    /// A structure with bit fields in the newer encoding: (name, type, offset in bits, width).
    pub(super) fn bit_fields(
        &mut self,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32, u32)],
    ) -> u32 {
        let tail: Vec<u32> = members
            .iter()
            .flat_map(|&(name, type_id, offset, width)| {
                [self.string(name), type_id, width << 24 | offset]
            })
            .collect();
        let entries = u32::try_from(members.len()).unwrap();
        self.raw(name, KIND_FLAG | STRUCT << 24 | entries, size, &tail)
    }

    /// An enumeration of 32-bit values, or of 64-bit ones.
    pub(super) fn enumeration(&mut self, kind: u32, name: &str, values: &[(&str, i64)]) -> u32 {
        let mut tail = Vec::new();
        for &(name, value) in values {
            let value = value.cast_unsigned();
            tail.extend([self.string(name), value as u32]);
            if kind == ENUM64 {
                tail.push((value >> 32) as u32);
            }
        }
        let entries = u32::try_from(values.len()).unwrap();
        let size = if kind == ENUM64 { 8 } else { 4 };
        self.raw(name, KIND_FLAG | kind << 24 | entries, size, &tail)
    }

    pub(in crate::kernel) fn function(
        &mut self,
        name: &str,
        returns: u32,
        parameters: &[(&str, u32)],
    ) -> u32 {
        let tail: Vec<u32> =
            parameters.iter().flat_map(|&(name, type_id)| [self.string(name), type_id]).collect();
        let entries = u32::try_from(parameters.len()).unwrap();
        let prototype = self.raw("", FUNC_PROTO << 24 | entries, returns, &tail);
        self.link(FUNC, name, prototype)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let (types, strings) = (self.types.len(), self.strings.len());
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, strings] {
            bytes.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        bytes.extend(&self.types);
        bytes.extend(&self.strings);
        bytes
    }

    pub(in crate::kernel) fn build(&self) -> Btf {
        Btf::from_bytes(self.bytes()).unwrap()
    }
}
