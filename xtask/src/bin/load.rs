//! The load generator of `cargo xtask bench`, which runs in a guest that counts instructions.
//!
//! Each round measures every load alone and then under a tracer, for one tracer after the other, so
//! that whatever drifts in the kernel drifts for both. Reports in JSON lines.

#[path = "load/clock.rs"]
mod clock;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/packet.rs"]
mod packet;
#[path = "../bench/sample.rs"]
#[expect(dead_code, reason = "names are for the tables of xtask")]
mod sample;
#[path = "load/scenario.rs"]
mod scenario;
#[path = "load/stats.rs"]
mod stats;
#[path = "load/system.rs"]
mod system;
#[path = "load/tracer.rs"]
mod tracer;

use std::time::Duration;

use anyhow::{Context, Error, Result};

use floor::Hook;
use sample::{Sample, Scenario, Tracer};
use scenario::Batch;
use tracer::Running;

/// On Linux 6.12 and later the first connections cost three times the rest.
const WARM_UP: u32 = 10_000;
/// Batches of which the median counts.
const BATCHES: usize = 5;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 =
        arguments.next().context("give the number of rounds")?.parse().context("rounds")?;
    let tracers = arguments
        .map(|key| Tracer::of_key(&key).map_err(Error::msg))
        .collect::<Result<Vec<_>>>()?;
    clock::check()?;
    system::prepare()?;
    let hooks = floor::hooks()?;
    scenario::run(Scenario::Connection, WARM_UP)?;
    for round in 0..rounds {
        for tracer in &tracers {
            compare(*tracer, &hooks, round == 0)?;
        }
    }
    Ok(())
}

/// Measures every load without and with a tracer.
fn compare(tracer: Tracer, hooks: &[Hook], first: bool) -> Result<()> {
    let alone = Scenario::ALL.map(|scenario| median(scenario, None));
    let running = match tracer::start(tracer, hooks) {
        Ok(running) => running,
        Err(problem) if first => {
            return say(&Sample::Missing { tracer, reason: format!("{problem:#}") });
        }
        Err(_) => return Ok(()),
    };
    for (scenario, alone) in Scenario::ALL.into_iter().zip(alone) {
        let (alone, traced) = (alone?, median(scenario, Some(&running))?);
        say(&Sample::Cost {
            tracer,
            scenario,
            alone: alone.instructions,
            traced: traced.instructions,
            reader: traced.reader,
        })?;
    }
    if first {
        stats::report(tracer, hooks)?;
    }
    running.stop()
}

/// Instructions per operation.
#[derive(Debug, Clone, Copy)]
struct Measured {
    instructions: f64,
    reader: f64,
}

/// The median of some batches, after one that does not count.
fn median(scenario: Scenario, running: Option<&Running>) -> Result<Measured> {
    let operations = scenario::operations(scenario);
    scenario::run(scenario, operations / 10)?;
    let mut measured = (0..BATCHES)
        .map(|_| {
            let reader = || running.map_or(Ok(0), Running::instructions);
            let Batch { instructions, operations, reader } =
                scenario::measure(scenario, operations, &reader)?;
            let per = |sum: u64| sum as f64 / f64::from(operations);
            Ok(Measured { instructions: per(instructions), reader: per(reader) })
        })
        .collect::<Result<Vec<_>>>()?;
    measured.sort_by(|one, other| one.instructions.total_cmp(&other.instructions));
    Ok(measured[BATCHES / 2])
}

/// Sends one line to the host.
fn say(sample: &Sample) -> Result<()> {
    println!("{}", serde_json::to_string(sample)?);
    Ok(())
}

/// Waits in the guest's time, which jumps ahead while nothing runs.
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
