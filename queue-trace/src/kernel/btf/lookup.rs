//! Where a member lies, found by name through anonymous members and typedefs.

use super::{
    Btf, BtfError,
    record::{Kind, MemberEntry, Record},
};

/// The longest chain of typedefs, qualifiers and array dimensions that is followed; libbpf's bound.
const MAX_CHAIN: usize = 32;

/// How many members are searched for one name, anonymous ones included; the largest structures of
/// real kernels have under 1000.
const MAX_SEARCHED: u32 = 1 << 14;

/// Pointers of the 64-bit kernels that are supported; BTF does not say it.
const POINTER_SIZE: u64 = 8;

/// Where a member lies in a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bytes from the start of the structure; for a bit field, the byte with its first bit.
    pub offset: u32,
    /// Bytes of its type; for a bit field, how many bytes from `offset` its bits lie in.
    pub size: u32,
    /// Which bits, if it is a bit field.
    pub bits: Option<Bits>,
}

/// The bits of a bit field, counted from the lowest bit of the byte at the member's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Its lowest bit, 0 to 7.
    pub first: u8,
    /// How many bits it has.
    pub width: u8,
}

/// A member on the way to the one that was asked for.
struct Step {
    entry: MemberEntry,
    /// From the start of the outermost structure.
    bit_offset: u64,
}

impl Btf {
    /// Finds a member by its dotted path, such as `__sk_common.skc_family` in `sock`.
    ///
    /// Members of anonymous structures and unions count as members of what holds them, as in C.
    ///
    /// # Errors
    /// [`BtfError::NoStruct`] and [`BtfError::NoMember`] say what this kernel lacks;
    /// [`BtfError::Ambiguous`] if structures of the same name place the member differently.
    pub fn member(&self, structure: &str, path: &str) -> Result<Member, BtfError> {
        self.agreed(structure, |id| match self.walk(id, path)? {
            Some(step) => self.measure(&step).map(Some),
            None => Ok(None),
        })?
        .ok_or_else(|| BtfError::NoMember {
            structure: structure.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Whether [`Btf::member`] finds it.
    #[must_use]
    pub fn has_member(&self, structure: &str, path: &str) -> bool {
        self.member(structure, path).is_ok()
    }

    /// Size of a structure or union in bytes.
    ///
    /// # Errors
    /// [`BtfError::NoStruct`], or [`BtfError::Ambiguous`] if several of that name differ in size.
    pub fn struct_size(&self, structure: &str) -> Result<u32, BtfError> {
        self.agreed(structure, |id| Ok(self.record(id).map_or(0, |record| record.size_or_type)))
    }

    /// Whether a structure or union of that name is defined.
    #[must_use]
    pub fn has_struct(&self, structure: &str) -> bool {
        self.structures(structure).next().is_some()
    }

    fn structures(&self, name: &str) -> impl Iterator<Item = u32> {
        self.candidates(name)
            .filter(|(_, record)| record.is_composite() && self.is_named(record.name, name))
            .map(|(id, _)| id)
    }

    /// Asks every structure of that name: source files may define private ones of equal name.
    fn agreed<T: PartialEq>(
        &self,
        structure: &str,
        ask: impl Fn(u32) -> Result<T, BtfError>,
    ) -> Result<T, BtfError> {
        let structure_name = || structure.to_owned();
        let mut answers = self.structures(structure).map(ask);
        let first =
            answers.next().ok_or_else(|| BtfError::NoStruct { structure: structure_name() })??;
        for answer in answers {
            if answer? != first {
                return Err(BtfError::Ambiguous { structure: structure_name() });
            }
        }
        Ok(first)
    }

    /// Follows a dotted path from a structure; none if a part of it does not exist.
    fn walk(&self, id: u32, path: &str) -> Result<Option<Step>, BtfError> {
        let mut parts = path.split('.');
        let Some(mut step) = self.find(id, parts.next().unwrap_or_default())? else {
            return Ok(None);
        };
        for name in parts {
            let Some(inner) = self.find(step.entry.type_id, name)? else { return Ok(None) };
            step = Step { bit_offset: step.bit_offset + inner.bit_offset, ..inner };
        }
        Ok(Some(step))
    }

    /// Finds a member of one type by name, anonymous members included.
    fn find(&self, id: u32, name: &str) -> Result<Option<Step>, BtfError> {
        let mut to_search = vec![(id, 0)];
        let mut searched = 0;
        while let Some((id, base)) = to_search.pop() {
            let Some(record) = self.unaliased(id)?.filter(Record::is_composite) else { continue };
            for entry in record.members() {
                let bit_offset = base + u64::from(entry.bit_offset);
                if self.is_named(entry.name, name) {
                    return Ok(Some(Step { entry, bit_offset }));
                }
                if self.string(entry.name)?.is_empty() {
                    to_search.push((entry.type_id, bit_offset));
                }
                searched += 1;
                if searched > MAX_SEARCHED {
                    return Err(BtfError::Malformed("a structure nests without an end"));
                }
            }
        }
        Ok(None)
    }

    fn measure(&self, step: &Step) -> Result<Member, BtfError> {
        let too_large = || BtfError::Malformed("a member lies beyond 4 GiB");
        let narrow = |value| u32::try_from(value).map_err(|_| too_large());
        let size = self.size_of(step.entry.type_id)?;
        let (bit_offset, width) = match (step.entry.bit_width, self.old_bit_field(step)?) {
            (Some(width), _) => (step.bit_offset, u64::from(width)),
            (None, Some((first, width))) => (step.bit_offset + first, width),
            (None, None) => {
                return Ok(Member {
                    offset: narrow(step.bit_offset / 8)?,
                    size: narrow(size)?,
                    bits: None,
                });
            }
        };
        let first = u8::try_from(bit_offset % 8).map_err(|_| too_large())?;
        Ok(Member {
            offset: narrow(bit_offset / 8)?,
            size: narrow((u64::from(first) + width).div_ceil(8))?,
            bits: Some(Bits { first, width: u8::try_from(width).map_err(|_| too_large())? }),
        })
    }

    /// First bit and width of a bit field whose integer type carries them, as compilers wrote it
    /// before `kind_flag` (Linux 5.0).
    fn old_bit_field(&self, step: &Step) -> Result<Option<(u64, u64)>, BtfError> {
        let Some(record) = self.unaliased(step.entry.type_id)? else { return Ok(None) };
        let Some((first, width)) = record.int_bits() else { return Ok(None) };
        let whole = first == 0 && width == record.size_or_type.saturating_mul(8);
        let plain = whole && step.bit_offset.is_multiple_of(8);
        Ok((!plain).then_some((u64::from(first), u64::from(width))))
    }

    /// Size of a type in bytes; an array without a length has none.
    fn size_of(&self, id: u32) -> Result<u64, BtfError> {
        let (mut id, mut count) = (id, 1_u64);
        for _ in 0..MAX_CHAIN {
            let Some(record) = self.unaliased(id)? else { break };
            let one = match record.kind {
                Kind::Ptr => POINTER_SIZE,
                Kind::Array => {
                    let Some((element, length)) = record.array() else { break };
                    id = element;
                    count = count.saturating_mul(u64::from(length));
                    continue;
                }
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float => u64::from(record.size_or_type),
                _ => break,
            };
            return Ok(count.saturating_mul(one));
        }
        Err(BtfError::Malformed("a member has a type without a size"))
    }

    /// The type behind typedefs and qualifiers; none for `void`.
    pub(super) fn unaliased(&self, id: u32) -> Result<Option<Record<'_>>, BtfError> {
        let mut id = id;
        for _ in 0..MAX_CHAIN {
            if id == 0 {
                return Ok(None);
            }
            let Some(record) = self.record(id) else {
                return Err(BtfError::Malformed("a type id does not exist"));
            };
            let Some(next) = record.alias() else { return Ok(Some(record)) };
            id = next;
        }
        Err(BtfError::Malformed("a chain of typedefs does not end"))
    }
}
