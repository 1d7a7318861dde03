//! What a guest finds when it boots.

use std::fs::File;
use std::io::{BufWriter, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use rustix::fs::{MemfdFlags, memfd_create};

use super::archive::Archive;
use super::kernel::Kernel;
use super::{Run, busybox};
use crate::{build, command};

/// A file to put into the guest.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    source: PathBuf,
    destination: Option<String>,
}

impl Copy {
    /// A program, put where `PATH` finds it.
    pub(crate) fn executable(source: &Path) -> Self {
        Self { source: source.into(), destination: None }
    }
}

impl FromStr for Copy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, destination) = match text.split_once(':') {
            Some((source, destination)) => (source, Some(destination)),
            None => (text, None),
        };
        if !Path::new(source).is_file() {
            return Err(format!("there is no file {source}"));
        }
        if destination.is_some_and(|path| !path.starts_with('/')) {
            return Err("DEST has to start with /".into());
        }
        Ok(Self { source: source.into(), destination: destination.map(Into::into) })
    }
}

/// Writes the initramfs into memory: nothing is left behind however we end.
pub(super) fn initramfs(run: &Run, kernel: &Kernel) -> Result<File> {
    let mut archive = Archive::new();
    for folder in ["dev", "proc", "sys", "tmp", "run", "root", "var", "usr/local/bin", "mnt"] {
        archive.directory(folder);
    }
    archive.link("var/run", "/run");
    archive.file("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n".into());
    archive.file("etc/group", 0o644, b"root:x:0:\n".into());
    archive.file("etc/hosts", 0o644, b"127.0.0.1 localhost guest\n::1 localhost\n".into());
    archive.file("etc/command", 0o644, run.command.join("\0").into_bytes());
    add_programs(&mut archive, run.no_build)?;
    for (name, content) in &kernel.modules {
        archive.file(&format!("lib/modules/{name}"), 0o644, content.clone());
    }
    let load: String = kernel.modules.iter().map(|(name, _)| format!("{name}\n")).collect();
    archive.file("lib/modules/load", 0o644, load.into_bytes());
    for copy in &run.copy {
        add_copy(&mut archive, copy)?;
    }
    // Not closed on exec: QEMU opens it by its number.
    let mut file = File::from(memfd_create("initramfs", MemfdFlags::empty())?);
    archive.write(BufWriter::new(&file))?;
    file.rewind()?;
    Ok(file)
}

fn add_programs(archive: &mut Archive, maybe_missing: bool) -> Result<()> {
    archive.copy(&build::guest_path("guest-init"), "init", 0o755)?;
    let program = build::guest_path("queue-trace");
    if program.exists() || !maybe_missing {
        archive.copy(&program, "usr/bin/queue-trace", 0o755)?;
    }
    archive.copy(&busybox(), "bin/busybox", 0o755)?;
    for applet in command::text(Command::new(busybox()).arg("--list"))?.lines() {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    Ok(())
}

fn add_copy(archive: &mut Archive, copy: &Copy) -> Result<()> {
    let source = &copy.source;
    let permissions = source.metadata()?.permissions().mode() & 0o7777;
    let name = source.file_name().context("a file to copy needs a name")?.to_string_lossy();
    let folder = if permissions & 0o111 == 0 { "root" } else { "usr/local/bin" };
    let destination = copy.destination.clone().unwrap_or_else(|| format!("{folder}/{name}"));
    archive.copy(source, &destination, permissions)?;
    for library in libraries(source)? {
        archive.copy(&library, &library.to_string_lossy(), 0o755)?;
        // Lets the guest's loader find libraries in folders that only this machine's cache knows.
        archive.copy(Path::new("/etc/ld.so.cache"), "etc/ld.so.cache", 0o644)?;
    }
    Ok(())
}

/// The shared libraries of a program and its loader; none for anything else.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    if !output.status.success() {
        return Ok(Vec::new()); // "not a dynamic executable"
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if line.contains("not found") {
            bail!("{}: this machine lacks {}", program.display(), line.trim());
        }
        // `libc.so.6 => /lib/…/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)` or the vDSO.
        let path =
            line.split("=>").last().unwrap_or_default().split('(').next().unwrap_or_default();
        if path.trim().starts_with('/') {
            found.push(PathBuf::from(path.trim()));
        }
    }
    Ok(found)
}
