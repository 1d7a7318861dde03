//! The load generator of `cargo xtask bench`, which runs in a guest that counts instructions.
//!
//! Each round measures every load alone and then under a tracer, for one tracer after the other, so
//! that whatever drifts in the kernel drifts for both. Reports in JSON lines. With `listeners=N` connections go to so
//! many in turn.

#[path = "load/clock.rs"]
mod clock;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/hook.rs"]
mod hook;
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
    let (mut loads, mut tracers) = (Vec::new(), Vec::new());
    let mut listeners = 1;
    for key in arguments {
        if let Some(count) = key.strip_prefix("listeners=") {
            listeners = count.parse().context("listeners")?;
            continue;
        }
        match serde_json::from_value(key.as_str().into()) {
            Ok(load) => loads.push(load),
            Err(_) => tracers.push(Tracer::of_key(&key).map_err(Error::msg)?),
        }
    }
    clock::check()?;
    system::prepare()?;
    scenario::open_listeners(listeners)?;
    let hooks = floor::hooks()?;
    if tracers.contains(&Tracer::Floor) {
        say(&hook::measure()?)?;
    }
    scenario::run(Scenario::Connection, WARM_UP)?;
    for round in 0..rounds {
        for tracer in &tracers {
            compare(*tracer, &loads, &hooks, round == 0)?;
        }
    }
    Ok(())
}

/// Measures every load without and with a tracer.
fn compare(tracer: Tracer, loads: &[Scenario], hooks: &[Hook], first: bool) -> Result<()> {
    let alone: Vec<_> = loads.iter().map(|load| median(*load, None)).collect();
    let running = match tracer::start(tracer, hooks) {
        Ok(running) => running,
        Err(problem) if first => return missing(tracer, None, &problem),
        Err(_) => return Ok(()),
    };
    for (load, alone) in loads.iter().zip(alone) {
        let sample = alone.and_then(|alone| Ok((alone, median(*load, Some(&running))?)));
        match sample {
            Ok((alone, traced)) => say(&Sample::Cost {
                tracer,
                scenario: *load,
                alone: alone.instructions,
                traced: traced.instructions,
                reader: traced.reader,
            })?,
            Err(problem) => missing(tracer, Some(*load), &problem)?,
        }
    }
    if first {
        stats::report(tracer, loads, hooks)?;
    }
    running.stop()
}

/// Reports what could not be measured.
fn missing(tracer: Tracer, scenario: Option<Scenario>, problem: &Error) -> Result<()> {
    say(&Sample::Missing { tracer, scenario, reason: format!("{problem:#}") })
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
