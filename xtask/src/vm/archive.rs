//! A guest's files, collected in memory and written as the newc archive that Linux unpacks at boot.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::Builder;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Folders that are links into `/usr`, as on every distribution today.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Files by path without a leading slash; sorted, so that a folder comes before what is in it.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    mode: u32,
    content: Vec<u8>,
}

impl Archive {
    /// An archive with nothing but the links into `/usr`.
    pub(crate) fn new() -> Self {
        let mut archive = Self::default();
        for name in MERGED {
            archive.directory(&format!("usr/{name}"));
            let link = Entry { mode: LINK | 0o777, content: format!("usr/{name}").into_bytes() };
            archive.entries.insert(name.into(), link);
        }
        archive
    }

    /// Adds a folder and those it is in.
    pub(crate) fn directory(&mut self, path: &str) {
        let path = canonical(path);
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            self.entries
                .entry(path[..end].into())
                .or_insert(Entry { mode: DIRECTORY | 0o755, content: Vec::new() });
        }
    }

    /// Adds a file; a later one replaces an earlier one.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: Vec<u8>) {
        self.insert(path, Entry { mode: FILE | permissions, content });
    }

    /// Adds a link, unless something of that name is there.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        if !self.entries.contains_key(&canonical(path)) {
            self.insert(path, Entry { mode: LINK | 0o777, content: target.into() });
        }
    }

    /// Adds a file of this machine.
    pub(crate) fn copy(&mut self, source: &Path, path: &str, permissions: u32) -> Result<()> {
        let content =
            std::fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        self.file(path, permissions, content);
        Ok(())
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        let path = canonical(path);
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
        self.entries.insert(path, entry);
    }

    /// Writes everything in the format of the kernel's `Documentation/driver-api/early-userspace/buffer-format`.
    pub(crate) fn write(&self, mut output: impl Write) -> Result<()> {
        for (number, (path, entry)) in (1..).zip(&self.entries) {
            let header = Builder::new(path).ino(number).mode(entry.mode).nlink(1);
            let mut file = header.write(&mut output, entry.content.len().try_into()?);
            file.write_all(&entry.content)?;
            file.finish()?;
        }
        cpio::newc::trailer(&mut output)?.flush()?;
        Ok(())
    }
}

/// The path without a leading slash, with `/usr` where the first folder is a link into it.
fn canonical(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) { format!("usr/{path}") } else { path.into() }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use cpio::newc::Reader;

    use super::Archive;

    #[test]
    fn folders_come_first_and_bin_is_in_usr() {
        let mut archive = Archive::new();
        archive.file("/bin/sh", 0o755, b"shell".into());
        archive.link("/bin/sh", "elsewhere");
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();

        let mut found = Vec::new();
        let mut rest = bytes.as_slice();
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            found.push((reader.entry().name().to_owned(), reader.entry().mode(), content));
            rest = reader.finish().unwrap();
        }
        assert!(found.contains(&("bin".into(), 0o120_777, "usr/bin".into())));
        let place = |path| found.iter().position(|(name, ..)| name == path).unwrap();
        assert!(place("usr") < place("usr/bin") && place("usr/bin") < place("usr/bin/sh"));
        assert_eq!(found[place("usr/bin/sh")], ("usr/bin/sh".into(), 0o100_755, "shell".into()));
    }
}
