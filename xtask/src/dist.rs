//! `cargo xtask dist`: what others install: a Debian package, and a tarball of the static program.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{build, command, setup, workspace};

mod debian;
mod tree;

pub(crate) use debian::package;

/// Builds what others install: a Debian package, and a tarball of the static program
///
/// Both hold the program, man pages, completions, the systemd unit, alert rules, the dashboard and
/// manifests. They lie in target/dist afterwards.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    command::run(build::guest_release().args([
        "--package",
        "queue-trace",
        "--bin",
        "queue-trace",
    ]))?;
    let program = build::guest_release_path("queue-trace");
    for made in [tarball(&program)?, package(&program, version(), &folder())?] {
        println!("{}", made.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The version of the workspace.
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Where everything is put.
pub(crate) fn folder() -> PathBuf {
    workspace::target().join("dist")
}

/// Man pages and completions, in folders of these names.
fn generated() -> Result<PathBuf> {
    let folder = folder().join("generated");
    let _ = std::fs::remove_dir_all(&folder);
    command::run(
        build::guest_cargo("run")
            .args(["--package", "queue-trace", "--features", "generate"])
            .args(["--bin", "queue-trace-generate", "--"])
            .arg(&folder),
    )?;
    Ok(folder)
}

fn tarball(program: &Path) -> Result<PathBuf> {
    let name = format!("queue-trace-{}-x86_64-linux", version());
    let root = folder().join(&name);
    tree::fresh(&root)?;
    tree::copy(program, &root.join("queue-trace"), 0o755)?;
    for text in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        tree::copy(&workspace::root().join(text), &root.join(text), 0o644)?;
    }
    tree::copy_all(&generated()?, &root)?;
    tree::copy_all(&tree::fleet(), &root.join("fleet"))?;
    let archive = folder().join(format!("{name}.tar.gz"));
    command::run(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .args(["--create", "--gzip", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(folder())
            .arg(&name),
    )
    .context("cannot make the tarball")?;
    Ok(archive)
}
