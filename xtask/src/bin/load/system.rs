//! The guest's settings and counters.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Stays on one processor, and makes clients that do not exist: what is sent to them goes out over loopback and is
/// thrown away.
pub(crate) fn prepare() -> Result<()> {
    let mut first = CpuSet::new();
    first.set(0);
    sched_setaffinity(None, &first).context("cannot stay on a processor")?;
    for name in ["all", "lo"] {
        set(&format!("net/ipv4/conf/{name}/rp_filter"), 0)?;
    }
    let route = ["route", "add", "10.9.0.0/16", "dev", "lo"];
    let status = Command::new("ip").args(route).status().context("cannot run ip")?;
    ensure!(status.success(), "cannot add a route ({status})");
    Ok(())
}

/// Lets this process have so many files.
pub(crate) fn allow_files(count: u64) -> Result<()> {
    let limit = Rlimit { current: Some(count), maximum: Some(count) };
    setrlimit(Resource::Nofile, limit).context("cannot have so many files")
}

/// Writes a setting.
pub(crate) fn set(name: &str, value: u32) -> Result<()> {
    std::fs::write(format!("/proc/sys/{name}"), value.to_string())
        .with_context(|| format!("cannot set {name}"))
}

/// Reads a counter of `/proc/net/netstat`.
pub(crate) fn counter(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let lines: Vec<_> = text.lines().map(str::split_whitespace).collect();
    lines
        .chunks_exact(2)
        .flat_map(|pair| pair[0].clone().zip(pair[1].clone()))
        .find(|(known, _)| *known == name)
        .and_then(|(_, value)| value.parse().ok())
        .with_context(|| format!("this kernel does not count {name}"))
}
