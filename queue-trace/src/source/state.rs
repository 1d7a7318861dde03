//! What has to be written down so that another process can go on with what is pinned: a BPF file system holds no
//! ordinary files, and of what the daemon knows the kernel keeps only what has a slot.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use queue_trace_common::Histogram;
use serde::{Deserialize, Serialize};

use super::books::Kept;
use crate::kernel::pins::Pins;
use crate::kernel::resume::Former;
use crate::model::{Listener, Totals, Worker};

/// Where it is kept, unless the service manager has given another place. It goes with the boot, as pins do.
const FOLDER: &str = "/run/queue-trace";

/// All of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// Of which pins this tells.
    pub(super) pins: u32,
    /// What was loaded.
    pub(super) former: Former,
    /// When counting began, nanoseconds since 1970.
    pub(super) began_ns: i64,
    /// Calls that were skipped before.
    pub(super) missed_before: u64,
    /// The last number that was given to a listener.
    pub(super) last_id: u32,
    /// The kernel's own counters when counting began.
    pub(super) books: Kept,
    /// Listeners that have given their slot back.
    pub(super) closed: Vec<(Listener, Sums)>,
    /// Who accepted at those.
    pub(super) workers: Vec<Worker>,
    /// How many of them were added to others.
    pub(super) folded: u64,
    /// Slots, each with when it was taken, whose totals are among the above, and which may not have been given
    /// back.
    pub(super) counted: Vec<(u32, u64)>,
}

impl State {
    /// What was written of pins.
    pub(super) fn read(pins: &Pins) -> Result<Self, String> {
        let path = file(pins.folder());
        let text = fs::read(&path).map_err(|error| {
            format!("what it has counted is not known: {}: {error}", path.display())
        })?;
        let state: Self = serde_json::from_slice(&text)
            .map_err(|error| format!("what it has counted is told otherwise: {error}"))?;
        match pins.identity() == Some(state.pins) {
            true => Ok(state),
            false => Err("what it has counted is not known".to_owned()),
        }
    }

    /// Writes it, all or nothing.
    pub(super) fn write(&self, pins: &Path) -> anyhow::Result<()> {
        let path = file(pins);
        let new = path.with_extension("new");
        let write = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            fs::rename(&new, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Takes away what is written of pins.
pub(super) fn remove(pins: &Path) -> anyhow::Result<()> {
    let path = file(pins);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot take {} away", path.display()))
        }
        _ => Ok(()),
    }
}

/// The folder in which it is written.
#[must_use]
pub fn kept() -> PathBuf {
    std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| FOLDER.into(), PathBuf::from)
}

/// The file about pins in a folder.
fn file(pins: &Path) -> PathBuf {
    let name = pins.to_string_lossy().trim_matches('/').replace('/', "-");
    kept().join(format!("{name}.json"))
}

/// Now, by the wall clock, nanoseconds since 1970.
pub(super) fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The totals of a listener that has closed: without what is of one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sums {
    outcomes: Vec<u64>,
    tallies: Vec<u64>,
    waits: (Vec<u64>, u64),
    handshakes: (Vec<u64>, u64),
    full_ns: [u64; 2],
    peaks: [u32; 2],
    drops: Option<u64>,
}

impl From<&Totals> for Sums {
    fn from(totals: &Totals) -> Self {
        let histogram = |times: &Histogram| (times.buckets.to_vec(), times.sum_ns);
        Self {
            outcomes: totals.outcomes.to_vec(),
            tallies: totals.tallies.to_vec(),
            waits: histogram(&totals.waits),
            handshakes: histogram(&totals.handshakes),
            full_ns: [totals.accept_full_ns, totals.syn_full_ns],
            peaks: [totals.accept_peak, totals.syn_peak],
            drops: totals.drops,
        }
    }
}

impl From<Sums> for Totals {
    fn from(sums: Sums) -> Self {
        let mut totals = Self {
            accept_full_ns: sums.full_ns[0],
            syn_full_ns: sums.full_ns[1],
            accept_peak: sums.peaks[0],
            syn_peak: sums.peaks[1],
            drops: sums.drops,
            ..Self::default()
        };
        let put = |places: &mut [u64], counts: &[u64]| {
            places.iter_mut().zip(counts).for_each(|(place, count)| *place = *count);
        };
        put(&mut totals.outcomes, &sums.outcomes);
        put(&mut totals.tallies, &sums.tallies);
        put(&mut totals.waits.buckets, &sums.waits.0);
        put(&mut totals.handshakes.buckets, &sums.handshakes.0);
        totals.waits.sum_ns = sums.waits.1;
        totals.handshakes.sum_ns = sums.handshakes.1;
        totals
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use super::*;

    #[test]
    fn sums_come_back_as_they_were() {
        let mut totals = Totals { accept_full_ns: 1, syn_full_ns: 2, ..Totals::default() };
        (totals.accept_peak, totals.syn_peak, totals.drops) = (3, 4, Some(5));
        totals.outcomes[Outcome::COUNT - 1] = u64::MAX;
        totals.tallies[2] = 6;
        totals.waits.buckets[31] = 7;
        totals.waits.sum_ns = 8;
        totals.handshakes.buckets[0] = 9;
        totals.handshakes.sum_ns = 10;
        let text = serde_json::to_string(&Sums::from(&totals)).unwrap();
        let back: Totals = serde_json::from_str::<Sums>(&text).unwrap().into();
        assert_eq!(back, totals);
    }

    #[test]
    fn each_folder_of_pins_has_a_file_of_its_own() {
        let [one, other] =
            ["/sys/fs/bpf/queue-trace", "/sys/fs/bpf/other"].map(|f| file(Path::new(f)));
        assert!(one.ends_with("sys-fs-bpf-queue-trace.json") && one != other);
    }
}
