//! The kernel side pinned into a BPF file system, where it goes on counting without us.
//!
//! Links, and not only programs: a link that nobody holds detaches. The folder itself is locked while a process
//! uses it, because a BPF file system holds no ordinary files; the lock ends with the process, however that ends.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapData, MapError};
use aya::pin::PinError;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::{FEntry, FExit, KProbe, ProbeKind, Program, RawTracePoint};
use rustix::fs::{FlockOperation, flock, fstatfs};

use super::attach::{Attached, LOOK, Links};
use super::globals::CONTROL;
use super::hooks::{At, Plan, Tier};
use super::programs::ENDS_OF_SYNS;

/// Where pins are, if it is not said.
pub const DEFAULT_FOLDER: &str = "/sys/fs/bpf/queue-trace";

/// `BPF_FS_MAGIC`.
const BPF_FS: i64 = 0xcafe_4a11;

/// Parts of the folder. In this order they are taken away: what is attached first.
const LINKS: &str = "links";
const PROGRAMS: &str = "programs";
const MAPS: &str = "maps";

/// What user space reads and writes, or once wrote; the other maps live as long as the programs do.
const KEPT: &[&str] = &[
    "LISTENERS",
    "LISTENER_INFO",
    "COUNTERS",
    "FULL_TIME",
    "FREE_SLOTS",
    "TROUBLES",
    "RECORDS",
    "RINGS",
    // Without anybody who has it open, it would be emptied.
    ENDS_OF_SYNS,
    "WORKER_INDEX",
    "WORKERS",
    "WORKER_ACCEPTS",
    "FREE_WORKERS",
];

/// Why pins cannot be used; one line.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// Somebody else has the folder.
    #[error("{} is in use by another queue-trace", .0.display())]
    InUse(PathBuf),
    /// It is on another file system.
    #[error("{} is not in a BPF file system: mount one with `mount -t bpf bpf /sys/fs/bpf`", .0.display())]
    NotBpf(PathBuf),
    /// Anything else.
    #[error("cannot pin in {}: {why}", .folder.display())]
    Failed {
        /// The folder.
        folder: PathBuf,
        /// What failed.
        why: String,
    },
}

/// A folder of pins, which nobody else uses meanwhile.
#[derive(Debug)]
pub struct Pins {
    folder: PathBuf,
    _lock: File,
}

impl Pins {
    /// Locks a folder, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// When it is used by another process, or cannot be used.
    pub fn open(folder: &Path) -> Result<Self, PinsError> {
        let failed = |error: io::Error| PinsError::Failed {
            folder: folder.to_owned(),
            why: error.to_string(),
        };
        // Only where it belongs: on another file system nothing is left behind.
        let parent = folder.parent().filter(|_| !folder.is_dir()).unwrap_or(folder);
        let above = File::open(parent).map_err(failed)?;
        let kind = fstatfs(&above).map_err(|error| failed(error.into()))?.f_type;
        if kind != BPF_FS {
            return Err(PinsError::NotBpf(folder.to_owned()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = File::open(folder).map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(PinsError::InUse(folder.to_owned())),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether anything is pinned here.
    #[must_use]
    pub fn any(&self) -> bool {
        self.folder.join(MAPS).is_dir()
    }

    /// Which maps are pinned here: no others have had this number or will have it before the next boot.
    #[must_use]
    pub fn identity(&self) -> Option<u32> {
        let control = MapData::from_pin(self.folder.join(MAPS).join(CONTROL)).ok()?;
        control.info().ok().map(|info| info.id())
    }

    /// Pins what is attached by links. The maps must not have been taken yet.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn pin(&self, attached: &mut Attached) -> Result<(), PinsError> {
        self.pin_all(attached).map_err(|error| PinsError::Failed {
            folder: self.folder.clone(),
            why: super::programs::chain(&*error),
        })
    }

    fn pin_all(&self, attached: &mut Attached) -> Result<(), Box<dyn std::error::Error>> {
        let Attached { objects, links, plan, .. } = attached;
        let super::objects::Objects::Loaded(ebpf, globals) = objects else { return Ok(()) };
        let folder = |name| -> io::Result<PathBuf> {
            let folder = self.folder.join(name);
            DirBuilder::new().mode(0o700).create(&folder).map(|()| folder)
        };
        let maps = folder(MAPS)?;
        globals.pin(&maps)?;
        for name in KEPT {
            ebpf.map(name)
                .ok_or(MapError::InvalidName { name: (*name).into() })?
                .pin(maps.join(name))?;
        }
        let programs = folder(PROGRAMS)?;
        for name in plan.hooks.iter().map(|hook| hook.program).chain([LOOK]) {
            if let Some(program) = ebpf.program_mut(name) {
                program.pin(programs.join(name))?;
            }
        }
        let folder = folder(LINKS)?;
        // They stay open: the kernel is asked by them what kprobes it has skipped.
        let pin = |(name, link): (_, FdLink)| Ok((name, link.pin(folder.join(name))?.into()));
        *links = links.drain(..).map(pin).collect::<Result<_, PinError>>()?;
        Ok(())
    }

    /// The programs and maps that a former process has pinned, and what holds them.
    pub(super) fn take(&self, plan: &Plan) -> Result<(Pinned, Links), Box<dyn std::error::Error>> {
        let (folder, held) = (self.folder.join(PROGRAMS), self.folder.join(LINKS));
        let mut programs = Vec::with_capacity(plan.hooks.len() + 1);
        let mut links = Vec::with_capacity(plan.hooks.len());
        for hook in &plan.hooks {
            let path = folder.join(hook.program);
            let program = match (plan.tier, hook.at) {
                (Tier::Fentry, At::Entry) => Program::FEntry(FEntry::from_pin(path)?),
                (Tier::Fentry, At::Return) => Program::FExit(FExit::from_pin(path)?),
                (Tier::Kprobe, At::Entry) => {
                    Program::KProbe(KProbe::from_pin(path, ProbeKind::Entry)?)
                }
                (Tier::Kprobe, At::Return) => {
                    Program::KProbe(KProbe::from_pin(path, ProbeKind::Return)?)
                }
            };
            programs.push((hook.program, program));
            links.push((hook.program, PinnedLink::from_pin(held.join(hook.program))?.into()));
        }
        let look = RawTracePoint::from_pin(folder.join(LOOK))?;
        programs.push((LOOK, Program::RawTracePoint(look)));
        Ok((Pinned { programs, maps: self.folder.join(MAPS) }, links))
    }

    /// Takes everything away, by which it ends.
    ///
    /// # Errors
    ///
    /// When something of it cannot be taken away.
    pub fn clear(&self) -> io::Result<()> {
        for part in [LINKS, PROGRAMS, MAPS] {
            match fs::remove_dir_all(self.folder.join(part)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The same, and gives the folder up.
    ///
    /// # Errors
    ///
    /// As [`Self::clear`].
    pub fn remove(self) -> io::Result<()> {
        self.clear()?;
        fs::remove_dir(&self.folder)
    }
}

/// Programs and maps from pins.
pub struct Pinned {
    programs: Vec<(&'static str, Program)>,
    maps: PathBuf,
}

impl Pinned {
    pub(super) fn programs(&self) -> impl Iterator<Item = (&str, &Program)> {
        self.programs.iter().map(|(name, program)| (*name, program))
    }

    pub(super) fn program_mut(&mut self, name: &str) -> Option<&mut Program> {
        self.programs.iter_mut().find(|(other, _)| *other == name).map(|(_, program)| program)
    }

    pub(super) fn map(&self, name: &str) -> Result<Map, MapError> {
        MapData::from_pin(self.maps.join(name)).and_then(Map::from_map_data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_left_as_it_is() {
        let folder = std::env::temp_dir().join("queue-trace-no-pins");
        let error = Pins::open(&folder).unwrap_err().to_string();
        assert!(error.contains("not in a BPF file system"), "{error}");
        assert!(!folder.exists());
        let error = Pins::open(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.starts_with("cannot pin in /nowhere/at/all: "), "{error}");
    }
}
