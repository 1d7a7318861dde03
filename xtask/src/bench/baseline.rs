//! The stored figure that changes are held against.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Figures;
use super::sample::{Scenario, Tracer};
use crate::workspace;

/// A rise of more than that many percent fails.
const TOLERANCE: f64 = 3.0;

/// Instructions of counting's programs for a connection, by kernel.
type Baseline = BTreeMap<String, u64>;

fn path() -> PathBuf {
    workspace::root().join("xtask/bench-baseline.json")
}

fn read() -> Result<Baseline> {
    let path = path();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: --bless writes it", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Stores what was measured, and keeps the figures of other kernels.
pub(super) fn store(measured: &[Figures]) -> Result<()> {
    let mut baseline = read().unwrap_or_default();
    for figures in measured {
        baseline.insert(figures.kernel.clone(), instructions(figures)?.round() as u64);
    }
    std::fs::write(path(), serde_json::to_string_pretty(&baseline)? + "\n")?;
    Ok(())
}

/// Whether nothing has risen too much; says it for each kernel.
pub(super) fn check(measured: &[Figures]) -> Result<bool> {
    let baseline = read()?;
    let mut good = true;
    for figures in measured {
        let kernel = &figures.kernel;
        let stored = baseline
            .get(kernel)
            .with_context(|| format!("no figure is stored for Linux {kernel}: --bless does"))?;
        let now = instructions(figures)?;
        let rise = rise(*stored, now);
        let verdict = if rise > TOLERANCE { "too much" } else { "fine" };
        good &= rise <= TOLERANCE;
        println!(
            "Linux {kernel}: counting's programs take {now:.0} instructions per connection, stored \
             {stored}: {rise:+.1} %, {verdict}"
        );
    }
    Ok(good)
}

fn instructions(figures: &Figures) -> Result<f64> {
    figures
        .of_programs(Tracer::Counting, Scenario::Connection)
        .with_context(|| format!("counting was not measured on Linux {}", figures.kernel))
}

/// Percent.
fn rise(stored: u64, now: f64) -> f64 {
    (now / stored as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::{TOLERANCE, rise};

    #[test]
    fn three_percent_are_fine() {
        assert!(rise(1000, 1030.0) < TOLERANCE + 0.001);
        assert!(rise(1000, 1031.0) > TOLERANCE);
        assert!(rise(1000, 900.0) < 0.0);
    }
}
