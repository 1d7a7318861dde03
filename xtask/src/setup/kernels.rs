//! Debian's kernels for guests.

use std::cmp::Reverse;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{apt, suites};
use crate::vm::kernel;
use crate::{command, workspace};

/// The kernel where the user did not choose one.
pub(crate) const DEFAULT: &str = "6.12";

/// A kernel that guests can boot.
#[derive(Debug)]
pub(crate) struct Series {
    /// What the user calls it.
    pub(crate) name: &'static str,
    /// How versions of its packages start.
    version: &'static str,
    /// Debian's suites that have it.
    suites: &'static [&'static str],
}

/// Every kernel that is tested.
pub(crate) const SERIES: [Series; 5] = [
    Series { name: "5.10", version: "5.10.", suites: &["bullseye", "bullseye-security"] },
    Series { name: "6.1", version: "6.1.", suites: &["bookworm", "bookworm-security"] },
    Series { name: DEFAULT, version: "6.12.", suites: &["trixie", "trixie-security"] },
    Series { name: "7.2", version: "7.2.", suites: &["forky", "sid"] },
    Series { name: "newest", version: "", suites: &["sid", "experimental"] },
];

/// The series of that name.
pub(crate) fn series(name: &str) -> Option<&'static Series> {
    SERIES.iter().find(|series| series.name == name)
}

/// Checks what the user gave as a kernel.
pub(crate) fn parse(name: &str) -> Result<String, String> {
    if series(name).is_some() || Path::new(name).is_file() {
        return Ok(name.into());
    }
    let names = SERIES.map(|series| series.name).join(", ");
    Err(format!("give {names}, or the path of a vmlinuz"))
}

/// Where a series is kept.
pub(crate) fn folder(name: &str) -> PathBuf {
    workspace::cache("kernels").join(name)
}

/// Fetches a kernel unless it is there as guests want it.
pub(super) fn ensure(series: &Series) -> Result<()> {
    let folder = folder(series.name);
    if kernel::is_stored(&folder) {
        return Ok(());
    }
    let work = workspace::cache("apt").join(series.name);
    std::fs::create_dir_all(&work)?;
    let lock = File::create(work.join("lock"))?;
    lock.lock()?;
    if kernel::is_stored(&folder) {
        return Ok(()); // Somebody else fetched it meanwhile.
    }
    apt::need_apt("the path of a vmlinuz to --kernel", "linux-image-cloud-amd64")?;
    let config = suites::configure(series.suites, &work)?;
    let unpacked = fetch(series, &config, &work)?;
    let (image, tree) = parts(&unpacked)?;
    let part = folder.with_extension("part");
    let _ = std::fs::remove_dir_all(&part);
    kernel::store(&image, &tree, &part)?;
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(&part, &folder)?;
    std::fs::remove_dir_all(work).context("cannot clean up")
}

/// Downloads and unpacks the newest kernel of the series; gives the folders with its parts.
fn fetch(series: &Series, config: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let text = command::text(
        Command::new("apt-cache").arg("--config-file").arg(config).args(["pkgnames", "linux-"]),
    )?;
    let names: Vec<_> = text.lines().collect();
    let version = names
        .iter()
        .filter_map(|name| name.strip_prefix("linux-image-")?.strip_suffix("-cloud-amd64"))
        .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        .filter(|version| version.starts_with(series.version))
        .min_by_key(|version| Reverse(numbers(version)))
        .with_context(|| format!("Debian has no kernel {} any more", series.name))?;
    eprintln!("setup: fetching Linux {version} from Debian for guests");
    // Newer packages keep image and modules apart, and `linux-image` has only dependencies.
    let mut folders = Vec::new();
    for part in ["image", "binary", "modules"] {
        let package = format!("linux-{part}-{version}-cloud-amd64");
        if names.contains(&package.as_str()) {
            let folder = work.join(part);
            apt::download(Some(config), &package, &folder)?;
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// The numbers in a version: enough to order those of one series.
fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// Image and module tree among unpacked packages.
fn parts(unpacked: &[PathBuf]) -> Result<(PathBuf, PathBuf)> {
    let (mut image, mut tree) = (None, None);
    for folder in ["boot", "lib/modules", "usr/lib/modules"] {
        for path in unpacked.iter().map(|root| root.join(folder)).filter(|path| path.is_dir()) {
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?.path();
                let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.starts_with("vmlinuz") {
                    image = Some(entry);
                } else if entry.is_dir() {
                    image = image.or(Some(entry.join("vmlinuz")).filter(|image| image.is_file()));
                    tree = tree.or(Some(entry.join("kernel")).filter(|tree| tree.is_dir()));
                }
            }
        }
    }
    image.zip(tree).context("the kernel's packages lack its image or its modules")
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_number() {
        for (older, newer) in [
            ("5.10.0-9", "5.10.0-46"),
            ("6.12.115+deb13", "6.12.115+deb13.1"),
            ("6.12.99+deb13", "6.12.117+deb13"),
            ("7.2.13+deb14", "7.3"),
        ] {
            assert!(numbers(older) < numbers(newer), "{older} {newer}");
        }
    }
}
