//! `cargo xtask build`: the workspace, kernel side included; and the static programs for guests.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

use crate::{command, setup, workspace};

/// The only target that guests run.
const GUEST_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds everything, the kernel side included
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// With optimisation
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    let mut cargo = workspace::cargo();
    cargo.arg("build");
    if arguments.release {
        cargo.arg("--release");
    }
    command::run(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}

/// Cargo as it builds for guests: static, because a guest has no libraries, and in a target folder
/// of its own, because other flags would make the normal build start again each time.
pub(crate) fn guest_cargo(subcommand: &str) -> Command {
    let mut cargo = workspace::cargo();
    cargo
        .args([subcommand, "--quiet", "--target", GUEST_TARGET, "--target-dir"])
        .arg(workspace::target().join("guest"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // A guest emulates every instruction and keeps every file in memory.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_STRIP", "debuginfo");
    cargo
}

/// As [`guest_cargo`] builds, with optimisation: the programs that others install.
pub(crate) fn guest_release() -> Command {
    let mut cargo = guest_cargo("build");
    cargo.arg("--release");
    cargo
}

/// Builds static programs: name and package of each.
pub(crate) fn guest_programs(programs: &[(&str, &str)]) -> Result<()> {
    let mut cargo = guest_cargo("build");
    for (name, package) in programs {
        cargo.args(["--package", package, "--bin", name]);
    }
    command::run(&mut cargo)
}

/// Builds a static program of xtask that knows BPF.
pub(crate) fn guest_tool(name: &str) -> Result<()> {
    let mut cargo = guest_cargo("build");
    command::run(cargo.args(["--package=xtask", "--features=load", "--bin", name]))
}

/// Builds test programs without running them, by a `cargo test` that names them; each program with its target's name.
pub(crate) fn test_programs(cargo: &mut Command) -> Result<Vec<(String, PathBuf)>> {
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]).stderr(Stdio::inherit());
    let messages = command::text(cargo)?;
    let program = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, message["executable"].as_str()?.into()))
    };
    Ok(messages.lines().filter_map(program).collect())
}

/// Where a static program is once it is built.
pub(crate) fn guest_path(name: &str) -> PathBuf {
    built("debug", name)
}

/// Where one is that [`guest_release`] built.
pub(crate) fn guest_release_path(name: &str) -> PathBuf {
    built("release", name)
}

fn built(profile: &str, name: &str) -> PathBuf {
    workspace::target().join("guest").join(GUEST_TARGET).join(profile).join(name)
}
