//! What can be wrong with BTF, each in one line for the person at the terminal.

use std::{io, path::PathBuf};

/// Why BTF could not be read, or does not answer a question.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// `/sys/kernel/btf/vmlinux` is missing or unreadable.
    #[error(
        "this kernel shows no BTF in /sys/kernel/btf/vmlinux ({cause}): its structure offsets are \
         unknown; give its BTF or its vmlinux with --btf FILE"
    )]
    NoKernelBtf {
        /// What reading it answered.
        cause: io::Error,
    },
    /// A file that was asked for cannot be read.
    #[error("cannot read BTF from {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What reading it answered.
        cause: io::Error,
    },
    /// An ELF file that carries no BTF.
    #[error(
        "{} has no .BTF section: this vmlinux was built without CONFIG_DEBUG_INFO_BTF, or stripped",
        path.display()
    )]
    NoSection {
        /// The file.
        path: PathBuf,
    },
    /// The first bytes are those of something else.
    #[error(
        "this is not BTF: it does not start with 0xeB9F (a compressed kernel image has to be \
         unpacked to a vmlinux first)"
    )]
    NotBtf,
    /// BTF of a big-endian machine; the kernel side of this program is little-endian.
    #[error("this BTF is big-endian: it belongs to another machine than the ones supported here")]
    BigEndian,
    /// A version of the format that is not known.
    #[error("this BTF has version {0}, and only version 1 is known")]
    Version(u8),
    /// A kind of type that is not known; as its length is not known either, reading ends there.
    #[error("this BTF has a type of kind {kind} (type id {id}), and only kinds 1 to 19 are known")]
    Kind {
        /// The number that the kernel gave the kind.
        kind: u32,
        /// Which type it is.
        id: u32,
    },
    /// The bytes contradict the format.
    #[error("this BTF is damaged: {0}")]
    Malformed(&'static str),
    /// No structure or union of that name.
    #[error("this kernel's BTF has no `struct {structure}`")]
    NoStruct {
        /// The name that was asked for.
        structure: String,
    },
    /// The structure is there, the member is not.
    #[error("this kernel's BTF has no member `{path}` in `struct {structure}`")]
    NoMember {
        /// The structure that was searched.
        structure: String,
        /// The whole dotted path that was asked for.
        path: String,
    },
    /// Several structures share the name and answer differently, so none can be believed.
    #[error("this kernel's BTF has several different `struct {structure}`: cannot tell which one")]
    Ambiguous {
        /// The name they share.
        structure: String,
    },
}

impl BtfError {
    pub(super) fn no_string() -> Self {
        Self::Malformed("a name lies outside its strings, or does not end")
    }
}
