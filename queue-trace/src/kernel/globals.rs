//! Maps of which the programs know the address, so that nothing is looked up: they are made before the programs are
//! loaded, and their numbers are written into the instructions that name them.

use std::os::fd::{AsFd as _, AsRawFd as _};
#[cfg(feature = "serve")]
use std::path::Path;

use aya::maps::{Map, MapData, MapError};
#[cfg(feature = "serve")]
use aya::pin::PinError;
use aya::sys::SyscallError;
use queue_trace_common::{Control, PASS_BYTES};

use super::maps::MMAPABLE;

/// `BPF_MAP_TYPE_ARRAY`.
const ARRAY: u32 = 2;

/// What concerns all CPUs.
pub(super) const CONTROL: &str = "CONTROL";
/// What each CPU is in.
pub(super) const PASSES: &str = "PASSES";

/// The maps. They live on in the programs once these are loaded.
pub struct Globals {
    control: MapData,
    passes: MapData,
}

impl Globals {
    /// Makes them.
    pub(super) fn new(cpus: u32) -> Result<Self, MapError> {
        // `BPF_F_MMAPABLE` also lets values begin with a page, and so with a cache line.
        let one = |name, bytes: usize| {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let map = aya_obj::Map::new_from_params(ARRAY, 4, bytes, 1, MMAPABLE);
            MapData::create(map, name, None)
        };
        let passes = one(PASSES, PASS_BYTES * cpus as usize)?;
        Ok(Self { control: one(CONTROL, size_of::<Control>())?, passes })
    }

    /// The number of the map of what concerns all CPUs.
    pub(super) fn control_number(&self) -> i32 {
        self.control.fd().as_fd().as_raw_fd()
    }

    /// The number of the map of what each CPU is in.
    pub(super) fn passes_number(&self) -> i32 {
        self.passes.fd().as_fd().as_raw_fd()
    }

    /// The one of this name, if it is one of them.
    pub(super) fn find(&self, name: &str) -> Option<Result<Map, MapError>> {
        match name {
            CONTROL => Some(again(&self.control)),
            PASSES => Some(again(&self.passes)),
            _ => None,
        }
    }

    /// Pins them.
    #[cfg(feature = "serve")]
    pub(super) fn pin(&self, folder: &Path) -> Result<(), PinError> {
        self.control.pin(folder.join(CONTROL))?;
        self.passes.pin(folder.join(PASSES))
    }
}

/// The same map by another descriptor.
fn again(map: &MapData) -> Result<Map, MapError> {
    let own = map.fd().as_fd().try_clone_to_owned();
    let own = own.map_err(|io_error| SyscallError { call: "fcntl", io_error })?;
    Map::from_map_data(MapData::from_fd(own)?)
}
