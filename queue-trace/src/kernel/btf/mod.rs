//! Reads the kernel's own description of its types (BTF), so that one BPF object fits every kernel.
//!
//! A [`Btf`] answers four questions by name: where a member lies in a structure ([`Btf::member`]),
//! how large a structure is ([`Btf::struct_size`]), what a function takes and returns
//! ([`Btf::function`]), and which number an enumerator has ([`Btf::enum_value`]).
//!
//! The input is not trusted: a malformed byte is an error when it is met, at the latest by the
//! question that needs it. Layout of the format: `Documentation/bpf/btf.rst` in the kernel.

mod elf;
mod error;
mod excerpt;
mod layer;
mod lookup;
mod names;
mod record;
mod symbols;
#[cfg(test)]
pub(super) mod tests;

use std::{
    fs::File,
    io::{Read, Seek},
    path::Path,
    sync::Arc,
};

pub use self::{
    error::BtfError,
    lookup::{Bits, Member},
    symbols::Function,
};
use self::{layer::Layer, record::Record};

/// Where a kernel built with `CONFIG_DEBUG_INFO_BTF` (5.4 and later) shows its BTF.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Far above any kernel's BTF (about 5 MiB), far below what reading a wrong file could cost.
const MAX_FILE: u64 = 256 << 20;

/// The types of one kernel, or of a kernel and one of its modules.
///
/// Cloning is cheap: the bytes are shared.
#[derive(Clone, Debug)]
pub struct Btf {
    /// The kernel first, then what was split from it; ids and string offsets run on.
    layers: Vec<Arc<Layer>>,
}

impl Btf {
    /// Reads the running kernel's BTF.
    ///
    /// # Errors
    /// [`BtfError::NoKernelBtf`] where the kernel offers none, else as [`Btf::from_bytes`].
    pub fn from_kernel() -> Result<Self, BtfError> {
        Self::from_file(KERNEL_BTF).map_err(|error| match error {
            BtfError::Read { cause, .. } => BtfError::NoKernelBtf { cause },
            other => other,
        })
    }

    /// Reads a file of raw BTF, or an ELF file with a `.BTF` section such as an uncompressed
    /// `vmlinux`, of which nothing but that section is read.
    ///
    /// # Errors
    /// [`BtfError::Read`] for a file that cannot be read, else as [`Btf::from_bytes`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BtfError> {
        let path = path.as_ref();
        let unreadable = |cause| BtfError::Read { path: path.to_owned(), cause };
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let length = match elf::btf_section(&mut file).map_err(unreadable)? {
            elf::Found::Section { length } => length.min(size),
            elf::Found::NoSection => return Err(BtfError::NoSection { path: path.to_owned() }),
            elf::Found::NotElf => {
                file.rewind().map_err(unreadable)?;
                size
            }
        };
        if length > MAX_FILE {
            return Err(BtfError::Malformed("it is larger than 256 MiB"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(bytes)
    }

    /// Takes raw BTF, as in `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// Anything that is not complete, little-endian BTF of version 1 with kinds up to `ENUM64`
    /// (the newest as of Linux 7.2).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BtfError> {
        Ok(Self { layers: vec![Arc::new(Layer::parse(bytes, None)?)] })
    }

    /// Puts a module's BTF (`/sys/kernel/btf/MODULE`) on top of this one, which must be the
    /// kernel's own; the result knows both.
    ///
    /// # Errors
    /// As [`Btf::from_bytes`].
    pub fn split(&self, module: Vec<u8>) -> Result<Self, BtfError> {
        let layer = Layer::parse(module, self.layers.last().map(AsRef::as_ref))?;
        let mut layers = self.layers.clone();
        layers.push(Arc::new(layer));
        Ok(Self { layers })
    }

    /// The type with this id; none for `void` (0) and for ids beyond the last.
    fn record(&self, id: u32) -> Option<Record<'_>> {
        self.layers.iter().rev().find(|layer| id >= layer.first_type)?.record(id)
    }

    /// The name at an offset that a type gave; empty for what has no name.
    fn string(&self, offset: u32) -> Result<&[u8], BtfError> {
        self.layers
            .iter()
            .rev()
            .find(|layer| offset >= layer.first_string)
            .and_then(|layer| layer.string(offset))
            .ok_or_else(BtfError::no_string)
    }

    /// The types that may define `name`, oldest layer first; the caller compares the names.
    fn candidates(&self, name: &str) -> impl Iterator<Item = (u32, Record<'_>)> {
        let hash = names::hash(name.as_bytes());
        let ids = self.layers.iter().flat_map(move |layer| layer.names.with_hash(hash));
        ids.filter_map(|id| Some((id, self.record(id)?)))
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        !name.is_empty() && self.string(offset).is_ok_and(|found| found == name.as_bytes())
    }
}
