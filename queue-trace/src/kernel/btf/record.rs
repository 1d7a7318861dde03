//! One type as it stands in the type section, and the lists that follow it.

use super::BtfError;

/// `enum` of the kinds of `include/uapi/linux/btf.h`, up to Linux 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    DataSec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

impl Kind {
    /// Index + 1 is the number in the file.
    const ALL: [Self; 19] = [
        Self::Int,
        Self::Ptr,
        Self::Array,
        Self::Struct,
        Self::Union,
        Self::Enum,
        Self::Fwd,
        Self::Typedef,
        Self::Volatile,
        Self::Const,
        Self::Restrict,
        Self::Func,
        Self::FuncProto,
        Self::Var,
        Self::DataSec,
        Self::Float,
        Self::DeclTag,
        Self::TypeTag,
        Self::Enum64,
    ];

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// How many 32-bit words follow the type: a fixed number, and some for each list entry.
    fn words(self) -> (usize, usize) {
        match self {
            Self::Int | Self::Var | Self::DeclTag => (1, 0),
            Self::Array => (3, 0),
            Self::Struct | Self::Union | Self::DataSec | Self::Enum64 => (0, 3),
            Self::Enum | Self::FuncProto => (0, 2),
            Self::Ptr
            | Self::Fwd
            | Self::Typedef
            | Self::Volatile
            | Self::Const
            | Self::Restrict
            | Self::Func
            | Self::Float
            | Self::TypeTag => (0, 0),
        }
    }
}

/// A little-endian 32-bit word as it stands in the file.
type Word = [u8; 4];

/// A view of one type (`struct btf_type`) and the words that follow it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Offset of its name.
    pub(super) name: u32,
    pub(super) kind: Kind,
    /// For structures: offsets carry a bit-field width. For enumerations: values are signed.
    flag: bool,
    /// A size in bytes or a type id, whichever the kind has.
    pub(super) size_or_type: u32,
    tail: &'a [Word],
}

/// One entry of a structure's or union's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberEntry {
    pub(super) name: u32,
    pub(super) type_id: u32,
    /// From the start of the structure.
    pub(super) bit_offset: u32,
    /// For bit fields in the newer encoding (`kind_flag`); otherwise the type tells.
    pub(super) bit_width: Option<u32>,
}

impl<'a> Record<'a> {
    /// Reads the type at the start of `words` and says how many words it takes; `id` is for the
    /// error message.
    pub(super) fn parse(words: &'a [Word], id: u32) -> Result<(Self, usize), BtfError> {
        let cut = || BtfError::Malformed("a type runs past the end of the type section");
        let Some((&[name, info, size_or_type], rest)) = words.split_first_chunk() else {
            return Err(cut());
        };
        let info = u32::from_le_bytes(info);
        // Older kernels use fewer bits for both and keep the others zero.
        let (entries, number) = (info & 0x00ff_ffff, (info >> 24) & 0x7f);
        let Some(kind) = Kind::from_number(number) else {
            return Err(BtfError::Kind { kind: number, id });
        };
        let (fixed, each) = kind.words();
        let tail = usize::try_from(entries)
            .ok()
            .and_then(|entries| entries.checked_mul(each)?.checked_add(fixed))
            .and_then(|length| rest.get(..length))
            .ok_or_else(cut)?;
        let record = Self {
            name: u32::from_le_bytes(name),
            kind,
            flag: info >> 31 != 0,
            size_or_type: u32::from_le_bytes(size_or_type),
            tail,
        };
        Ok((record, tail.len() + 3))
    }

    pub(super) fn is_composite(&self) -> bool {
        matches!(self.kind, Kind::Struct | Kind::Union)
    }

    fn entries<const N: usize>(&self) -> impl Iterator<Item = [u32; N]> + use<'a, N> {
        self.tail.as_chunks::<N>().0.iter().map(|words| words.map(u32::from_le_bytes))
    }

    /// Members of a structure or union; nothing for other kinds.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberEntry> + use<'a> {
        let flag = self.flag;
        let composite = self.is_composite();
        self.entries().take_while(move |_| composite).map(move |[name, type_id, offset]| {
            let (bit_offset, bit_width) = match (flag, offset >> 24) {
                (false, _) => (offset, None),
                (true, 0) => (offset & 0x00ff_ffff, None),
                (true, width) => (offset & 0x00ff_ffff, Some(width)),
            };
            MemberEntry { name, type_id, bit_offset, bit_width }
        })
    }

    /// Enumerators as (offset of the name, value); nothing for other kinds.
    pub(super) fn enumerators(&self) -> impl Iterator<Item = (u32, i64)> + use<'a> {
        let (kind, signed) = (self.kind, self.flag);
        let narrow = self.entries().take_while(move |_| kind == Kind::Enum);
        let wide = self.entries().take_while(move |_| kind == Kind::Enum64);
        let narrow = narrow.map(move |[name, value]| {
            (name, if signed { i64::from(value.cast_signed()) } else { i64::from(value) })
        });
        let wide = wide.map(|[name, low, high]| {
            (name, (u64::from(high) << 32 | u64::from(low)).cast_signed())
        });
        narrow.chain(wide)
    }

    /// Parameters of a prototype as (offset of the name, type id); nothing for other kinds.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (u32, u32)> + use<'a> {
        let prototype = self.kind == Kind::FuncProto;
        self.entries().take_while(move |_| prototype).map(|[name, type_id]| (name, type_id))
    }

    /// Element type and number of elements of an array.
    pub(super) fn array(&self) -> Option<(u32, u32)> {
        match (self.kind, self.entries().next()) {
            (Kind::Array, Some([element, _index, count])) => Some((element, count)),
            _ => None,
        }
    }

    /// First bit and number of bits that an integer uses of its bytes.
    pub(super) fn int_bits(&self) -> Option<(u32, u32)> {
        match (self.kind, self.entries().next()) {
            (Kind::Int, Some([encoding])) => Some(((encoding >> 16) & 0xff, encoding & 0xff)),
            _ => None,
        }
    }

    /// What a typedef or a qualifier stands for.
    pub(super) fn alias(&self) -> Option<u32> {
        let alias = matches!(
            self.kind,
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag
        );
        alias.then_some(self.size_or_type)
    }
}
