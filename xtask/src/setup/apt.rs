//! Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// Installs packages, after saying so.
pub(super) fn install(purpose: &str, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    need_apt(purpose, &list)?;
    refresh_unless_known(packages)?;
    eprintln!("setup: installing {purpose}: {list}");
    let install = || {
        command::run_quietly(
            // Through `env`, because sudo keeps few variables.
            command::as_root("env")?
                .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
                .args(["install", "--yes", "--quiet", "--quiet", "--no-install-recommends"])
                .args(["-o", "Dpkg::Use-Pty=0"])
                .args(packages),
        )
    };
    // Lists that are too old name files that the mirror no longer has.
    install().or_else(|_| refresh().and_then(|()| install()))
}

/// Downloads a package of this system's Debian and unpacks it into a folder, installing nothing.
pub(super) fn unpack(purpose: &str, package: &str, folder: &Path) -> Result<()> {
    need_apt(purpose, package)?;
    refresh_unless_known(&[package])?;
    eprintln!("setup: unpacking {purpose} into {}: {package}", folder.display());
    download(None, package, folder)
}

/// Downloads a package and unpacks it into a folder that appears only when it is complete.
pub(super) fn download(config: Option<&Path>, package: &str, folder: &Path) -> Result<()> {
    let work = folder.with_extension("part");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work)?;
    let mut apt = Command::new("apt-get");
    if let Some(config) = config {
        apt.arg("--config-file").arg(config);
    }
    command::run(
        apt.args(["--quiet", "--quiet", "-o", "APT::Sandbox::User=root", "download", package])
            .current_dir(&work),
    )?;
    let archive = single_file(&work)?;
    command::run(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&work))?;
    std::fs::remove_file(archive)?;
    std::fs::rename(&work, folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Runs `apt-get update` when apt does not know a package: a fresh machine has no lists.
fn refresh_unless_known(packages: &[&str]) -> Result<()> {
    if packages.iter().all(|package| knows(package)) { Ok(()) } else { refresh() }
}

/// Whether apt can install a package.
pub(super) fn knows(package: &str) -> bool {
    Command::new("apt-cache")
        .args(["show", "--quiet=2", package])
        .output()
        .is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

/// Fetches the system's package lists.
pub(super) fn refresh() -> Result<()> {
    eprintln!("setup: updating apt's package lists");
    command::run(command::as_root("apt-get")?.args(["update", "--quiet", "--quiet"]))
}

/// Says what to provide by hand where there is no apt.
pub(super) fn need_apt(purpose: &str, packages: &str) -> Result<()> {
    if !command::exists("apt-get") {
        bail!("no apt here: provide {purpose} yourself (in Debian: {packages})");
    }
    Ok(())
}

fn single_file(folder: &Path) -> Result<PathBuf> {
    let mut files = std::fs::read_dir(folder)?;
    let file = files.next().context("apt-get download left no file")??;
    Ok(file.path())
}
