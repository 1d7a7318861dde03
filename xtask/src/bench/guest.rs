//! Runs the load generator on a kernel.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Figures;
use super::Size;
use super::sample::{Sample, Scenario, Tracer};
use crate::vm::kernel;
use crate::{build, command, workspace};

/// Ends a kernel's run after so many seconds.
const TIMEOUT: &str = "7200";
/// MiB: bpftrace brings LLVM along.
const MEMORY: &str = "2048";

/// What goes into the guest.
#[derive(Debug)]
pub(super) struct Programs(Vec<PathBuf>);

impl Programs {
    /// Builds ours as they are shipped, and finds the peers.
    pub(super) fn build() -> Result<Self> {
        command::run(
            build::guest_cargo("build").args(["--release", "--features=xtask/load"]).args([
                "--package=queue-trace",
                "--bin=queue-trace",
                "--package=xtask",
                "--bin=load",
            ]),
        )?;
        let folder = workspace::target().join("guest/x86_64-unknown-linux-gnu/release");
        let ours = ["queue-trace", "load"].map(|name| folder.join(name));
        let peers = ["/usr/sbin/tcpsynbl", "/usr/bin/bpftrace"].map(PathBuf::from);
        let there = peers.into_iter().filter(|path| path.is_file());
        Ok(Self(ours.into_iter().chain(there).collect()))
    }

    fn options(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().flat_map(|path| [Path::new("--copy"), path])
    }
}

/// Boots the kernel and gathers what the load generator reports.
pub(super) fn measure(
    kernel: &str,
    programs: &Programs,
    rounds: u32,
    tracers: &[Tracer],
    loads: &[Scenario],
    size: Size,
) -> Result<Figures> {
    let release = kernel::release_of(kernel)?;
    eprintln!("bench: Linux {release}");
    let mut guest = Command::new(std::env::current_exe()?)
        .args(["vm", "run", "--no-build", "--icount", "--kernel", kernel])
        .args(["--timeout", TIMEOUT, "--memory", MEMORY, "--smp", &size.cpus.to_string()])
        .args(programs.options())
        .args(["--", "load", &rounds.to_string()])
        .args(tracers.iter().map(|tracer| tracer.key()))
        .args(loads.iter().map(|load| load.key()))
        .arg(format!("listeners={}", size.listeners))
        .stdout(Stdio::piped())
        .spawn()?;
    let output = guest.stdout.take().context("the guest has no output")?;
    let mut samples = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        let sample = serde_json::from_str(&line).with_context(|| format!("no sample: {line}"))?;
        if let Sample::Loaded { tracer, .. } = &sample {
            eprintln!("bench: Linux {release}: {} measured", tracer.name());
        }
        samples.push(sample);
    }
    ensure!(guest.wait()?.success(), "the load failed; its message stands above");
    Ok(Figures { kernel: kernel.into(), release, samples })
}
