//! How long the kernel takes to load the programs, on this machine and on one processor of it.
//!
//! The aim is 300 ms for the whole start. Loading needs root, or `CAP_BPF` and `CAP_PERFMON`; programs for kprobes are
//! loaded also where the kernel has none.

use std::io;
use std::time::Duration;

use queue_trace::kernel::attach::Settings;
use queue_trace::kernel::rehearsal::rehearse;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Of so many tries the median counts.
const TRIES: usize = 9;

fn main() -> io::Result<()> {
    let all = sched_getaffinity(None)?;
    let mut few = CpuSet::new();
    for processor in (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)) {
        few.set(processor);
        if !few.count().is_power_of_two() {
            continue;
        }
        sched_setaffinity(None, &few)?;
        for (what, stream) in [("counting", 0), ("streaming", u64::MAX)] {
            let settings = Settings { stream, ..Settings::default() };
            match medians(&settings) {
                Ok([types, load]) => println!(
                    "start, {what}, {} processors: types {types:.1?}, load {load:.1?}",
                    few.count()
                ),
                Err(error) => {
                    println!("start: nothing to measure: {error}");
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// What reading the types and loading took.
fn medians(settings: &Settings) -> Result<[Duration; 2], impl std::fmt::Display> {
    let tries: Result<Vec<_>, _> = (0..TRIES).map(|_| rehearse(settings)).collect();
    tries.map(|tries| {
        [median(tries.iter().map(|took| took.types)), median(tries.iter().map(|took| took.load))]
    })
}

fn median(of: impl Iterator<Item = Duration>) -> Duration {
    let mut sorted: Vec<_> = of.collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
