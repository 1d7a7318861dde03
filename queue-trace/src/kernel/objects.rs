//! The programs and maps in the kernel: those that this process has loaded, or those of a former one that were
//! pinned.

use std::io;

use aya::Ebpf;
use aya::maps::{Map, MapError};
use aya::programs::{Program, ProgramError, RawTracePoint};

use super::globals::Globals;

/// Where the programs and maps are from.
pub enum Objects {
    /// From our own object, and the maps that were made before it.
    Loaded(Box<Ebpf>, Box<Globals>),
    /// From a folder of pins.
    #[cfg(feature = "serve")]
    Pinned(super::pins::Pinned),
}

impl Objects {
    /// The programs that are in the kernel, with their names.
    pub fn programs(&self) -> Box<dyn Iterator<Item = (&str, &Program)> + '_> {
        match self {
            Self::Loaded(ebpf, _) => {
                Box::new(ebpf.programs().filter(|(_, program)| program.fd().is_ok()))
            }
            #[cfg(feature = "serve")]
            Self::Pinned(pinned) => Box::new(pinned.programs()),
        }
    }

    /// A program that is run by ourselves.
    ///
    /// # Errors
    ///
    /// When there is no such one.
    pub fn runnable(&mut self, name: &str) -> Result<&mut RawTracePoint, ProgramError> {
        let program = match self {
            Self::Loaded(ebpf, _) => ebpf.program_mut(name),
            #[cfg(feature = "serve")]
            Self::Pinned(pinned) => pinned.program_mut(name),
        };
        program.ok_or(ProgramError::IOError(io::ErrorKind::NotFound.into()))?.try_into()
    }

    /// Takes a map.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it was taken before.
    pub fn take_map(&mut self, name: &str) -> Result<Map, MapError> {
        match self {
            Self::Loaded(ebpf, globals) => globals.find(name).unwrap_or_else(|| {
                ebpf.take_map(name).ok_or(MapError::InvalidName { name: name.to_owned() })
            }),
            #[cfg(feature = "serve")]
            Self::Pinned(pinned) => pinned.map(name),
        }
    }
}
