//! What compiles and links the kernel side.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::apt;
use crate::toolchain::Compiler;
use crate::{command, toolchain, workspace};

/// The release of bpf-linker that we install, and the LLVMs that it can be built with.
const LINKER_VERSION: &str = "0.13.0";
const LLVM: RangeInclusive<u32> = 21..=23;

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
    if linkable_compiler().is_none() {
        install_compiler()?;
    }
    let compiler = linkable_compiler().with_context(|| {
        let (oldest, newest) = (LLVM.start(), LLVM.end());
        format!("no Rust toolchain with an LLVM from {oldest} to {newest}, which bpf-linker needs")
    })?;
    install_linker(compiler.llvm)?;
    toolchain::find(workspace::root())
        .map(drop)
        .map_err(|problem| anyhow!("{problem} again, setup did not suffice"))
}

/// The first compiler for which there is an LLVM to build the linker with.
fn linkable_compiler() -> Option<Compiler> {
    let mut newest = *LLVM.end();
    while LLVM.contains(&newest) {
        let compiler = toolchain::compiler(newest).ok()?;
        if !LLVM.contains(&compiler.llvm) {
            return None;
        }
        if llvm_config(compiler.llvm).exists() || apt::knows(&llvm_package(compiler.llvm)) {
            return Some(compiler);
        }
        newest = compiler.llvm - 1;
    }
    None
}

fn llvm_config(llvm: u32) -> PathBuf {
    llvm_prefix(llvm).join("bin/llvm-config")
}

fn llvm_prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

fn llvm_package(llvm: u32) -> String {
    format!("llvm-{llvm}-dev")
}

/// Debian's toolchain beside the user's own, which stays as it is; else rustup's nightly.
fn install_compiler() -> Result<()> {
    let packages = ["rustc-web", "cargo-web", "rust-web-src"];
    if command::exists("apt-get") {
        // A Debian image has lists of its day, and the first of these packages came with an LLVM too old.
        apt::refresh()?;
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
    if !llvm_config(llvm).exists() {
        apt::install("the LLVM of bpf-linker", &[&llvm_package(llvm)])?;
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
            .env("LLVM_PREFIX", llvm_prefix(llvm))
            .env_remove("CARGO_TARGET_DIR"),
    )
    .context("bpf-linker could not be built")
}
