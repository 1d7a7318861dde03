//! The guest's settings and counters.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Makes clients that do not exist: what is sent to them goes out over loopback and is thrown away.
pub(crate) fn prepare() -> Result<()> {
    for name in ["all", "lo"] {
        set(&format!("net/ipv4/conf/{name}/rp_filter"), 0)?;
    }
    let route = ["route", "add", "10.9.0.0/16", "dev", "lo"];
    let status = Command::new("ip").args(route).status().context("cannot run ip")?;
    ensure!(status.success(), "cannot add a route ({status})");
    Ok(())
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
