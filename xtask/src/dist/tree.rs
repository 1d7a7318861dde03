//! Trees of files that packages are made of.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// What is shipped beside the program: unit, manifests, rules, dashboard.
pub(super) fn fleet() -> PathBuf {
    workspace::root().join("queue-trace/fleet")
}

/// An empty folder.
pub(super) fn fresh(folder: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// A file with this mode, and the folders on the way to it.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let about = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(about)?;
    }
    fs::write(path, content).with_context(about)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).with_context(about)
}

/// Copies a file, with this mode.
pub(super) fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    write(to, fs::read(from).with_context(|| format!("cannot read {}", from.display()))?, mode)
}

/// Copies all files of a folder and of those in it.
pub(super) fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_all(&path, &to)?;
        } else {
            copy(&path, &to, 0o644)?;
        }
    }
    Ok(())
}

/// The paths of all files in a folder and in those in it, by name, from the folder on.
pub(super) fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    let mut found: Vec<_> =
        found.iter().filter_map(|path| Some(path.strip_prefix(root).ok()?.into())).collect();
    found.sort();
    Ok(found)
}
