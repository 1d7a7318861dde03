//! `cargo xtask setup`: finds or installs what building and testing need.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::command;

mod apt;
pub(crate) mod chromium;
mod ebpf;
pub(crate) mod kernels;
pub(crate) mod prometheus;
pub(crate) mod python;
mod suites;

/// Finds or installs what building and testing need; says what it installs before it does
///
/// Debian's packages are installed with apt (through sudo when not root). Everything else lands in
/// the project's own .cache folder. Does nothing, and says nothing, when all is there.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// What to set up for
    #[arg(long = "for", value_enum, default_value_t = Purpose::Test)]
    purpose: Purpose,
    /// Kernels for guests, instead of all (test) or 6.12 (demo); repeatable
    #[arg(long, value_parser = kernels::parse)]
    kernel: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Purpose {
    Build,
    Demo,
    Test,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut wanted: Vec<_> = arguments.kernel.iter().map(String::as_str).collect();
    if wanted.is_empty() {
        wanted = match arguments.purpose {
            Purpose::Build => Vec::new(),
            Purpose::Demo => vec![kernels::DEFAULT],
            Purpose::Test => kernels::SERIES.iter().map(|series| series.name).collect(),
        };
    }
    for_build()?;
    if arguments.purpose == Purpose::Test {
        for_unit()?;
        for_fuzz()?;
    }
    for kernel in wanted {
        for_vm(kernel, true)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What `cargo build` needs.
pub(crate) fn for_build() -> Result<()> {
    if !command::exists("cc") {
        apt::install("a C compiler", &["gcc", "libc6-dev"])?;
    }
    ebpf::ensure()
}

/// What the tests need that run here.
pub(crate) fn for_unit() -> Result<()> {
    for_views()?;
    prometheus::ensure()?;
    python::ensure()
}

/// What fuzzing needs: libFuzzer is built from its source.
pub(crate) fn for_fuzz() -> Result<()> {
    if !command::exists("c++") {
        apt::install("a C++ compiler for the fuzzer", &["g++"])?;
    }
    Ok(())
}

/// What views are looked at with: a terminal and a browser.
pub(crate) fn for_views() -> Result<()> {
    if !command::exists("tmux") {
        apt::install("a terminal for tests", &["tmux"])?;
    }
    chromium::ensure()
}

/// The peers that `cargo xtask bench` measures beside; where they cannot be had, it does without.
pub(crate) fn for_bench() -> Result<()> {
    let peers = [("bpftrace", "/usr/bin/bpftrace"), ("libbpf-tools", "/usr/sbin/tcpsynbl")];
    let wanted = peers.iter().filter(|(_, path)| !std::path::Path::new(path).is_file());
    let packages: Vec<_> = wanted.map(|(package, _)| *package).collect();
    if !packages.is_empty()
        && let Err(problem) = apt::install("peers to measure beside", &packages)
    {
        eprintln!("setup: without {}: {problem:#}", packages.join(" and "));
    }
    Ok(())
}

/// What a guest with that kernel needs; `built` when there is nothing to build for it.
pub(crate) fn for_vm(name: &str, built: bool) -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "guests are x86_64 and are built natively: use such a machine"
    );
    if !built {
        for_build()?;
    }
    if !command::exists("qemu-system-x86_64") {
        apt::install("the emulator for guests", &["qemu-system-x86"])?;
    }
    busybox()?;
    match kernels::series(name) {
        Some(series) => kernels::ensure(series),
        None => Ok(()),
    }
}

/// What testing the Debian package needs.
pub(crate) fn for_package() -> Result<()> {
    if !command::exists("dpkg-deb") {
        apt::install("what builds Debian packages", &["dpkg"])?;
    }
    busybox()
}

fn busybox() -> Result<()> {
    if crate::vm::busybox().is_file() {
        return Ok(());
    }
    let folder = crate::workspace::cache("busybox");
    apt::unpack("a static busybox for guests", "busybox-static", &folder)
}
