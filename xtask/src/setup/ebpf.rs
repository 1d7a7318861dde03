//! What compiles and links the kernel side.

use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::apt;
use crate::{command, toolchain, workspace};

/// The release of bpf-linker that we install, and the newest LLVM that it can be built with.
const LINKER_VERSION: &str = "0.13.0";
const NEWEST_LLVM: u32 = 23;

/// Installs toolchain and linker unless there is a pair that fits together.
pub(super) fn ensure() -> Result<()> {
    if toolchain::find(workspace::root()).is_ok() {
        return Ok(());
    }
    for name in [toolchain::TOOLCHAIN_VARIABLE, toolchain::LINKER_VARIABLE] {
        if std::env::var_os(name).is_some() {
            toolchain::find(workspace::root()).map_err(|problem| {
                anyhow!("{problem}; or unset {name} and setup installs what is needed")
            })?;
        }
    }
    if toolchain::compiler(NEWEST_LLVM).is_err() {
        install_compiler()?;
    }
    let compiler = toolchain::compiler(NEWEST_LLVM).map_err(|problem| anyhow!(problem))?;
    install_linker(compiler.llvm)?;
    toolchain::find(workspace::root())
        .map(drop)
        .map_err(|problem| anyhow!("{problem} again, setup did not suffice"))
}

/// Debian's toolchain beside the user's own, which stays as it is; else rustup's nightly.
fn install_compiler() -> Result<()> {
    let packages = ["rustc-web", "cargo-web", "rust-web-src"];
    if command::exists("apt-get") {
        return apt::install("a Rust toolchain that can build for BPF", &packages);
    }
    if !command::exists("rustup") {
        apt::need_apt("rustup, or a Rust toolchain with rust-src", &packages.join(" "))?;
    }
    eprintln!("setup: installing rustup's nightly toolchain with rust-src");
    command::run(Command::new("rustup").args([
        "toolchain",
        "install",
        "nightly",
        "--profile=minimal",
        "--component=rust-src",
    ]))
}

/// Builds bpf-linker against the LLVM that the compiler has, into the project's cache.
fn install_linker(llvm: u32) -> Result<()> {
    let prefix = format!("/usr/lib/llvm-{llvm}");
    if !std::path::Path::new(&prefix).join("bin/llvm-config").exists() {
        apt::install("the LLVM of bpf-linker", &[&format!("llvm-{llvm}-dev")])?;
    }
    let folder = workspace::cache("bpf-linker");
    eprintln!("setup: building bpf-linker {LINKER_VERSION} into {}", folder.display());
    command::run(
        workspace::cargo()
            .args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--quiet"])
            .args([
                "--force",
                "--no-default-features",
                &format!("--features=llvm-{llvm}"),
                "--root",
            ])
            .arg(folder)
            .env("LLVM_PREFIX", prefix)
            .env_remove("CARGO_TARGET_DIR"),
    )
    .context("bpf-linker could not be built")
}
