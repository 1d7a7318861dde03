//! What the kernel knows about the programs in it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aya::maps::loaded_maps;
use aya::programs::{ProgramInfo, loaded_programs};
use aya::sys::{Stats, enable_stats};

use crate::floor::Hook;
use crate::sample::{Sample, Scenario, Tracer};
use crate::{missing, say, scenario};

/// Whether there is any.
pub(crate) fn any_program() -> bool {
    loaded_programs().next().is_some()
}

/// Reports what a tracer put into the kernel, and what each program takes of each load.
pub(crate) fn report(tracer: Tracer, loads: &[Scenario], hooks: &[Hook]) -> Result<()> {
    let programs = programs()?;
    let (mut verified, mut jited_bytes, mut map_bytes) = (0, 0, 0);
    for program in &programs {
        verified += u64::from(program.verified_instruction_count().unwrap_or(0));
        jited_bytes += u64::from(program.size_jitted());
    }
    for map in loaded_maps() {
        map_bytes += locked(map?.id())?;
    }
    say(&Sample::Loaded {
        tracer,
        programs: programs.len() as u64,
        verified,
        jited_bytes,
        map_bytes,
    })?;
    for load in loads {
        if let Err(problem) = parts(tracer, *load, hooks) {
            missing(tracer, Some(*load), &problem)?;
        }
    }
    Ok(())
}

fn parts(tracer: Tracer, scenario: Scenario, hooks: &[Hook]) -> Result<()> {
    let before: BTreeMap<_, _> = programs()?.into_iter().map(|one| (one.id(), one)).collect();
    // On from the beginning of the batch to its end, not while it is prepared.
    let switch = RefCell::new(None);
    let turn = || {
        let off = switch.take();
        if off.is_none() {
            let on =
                enable_stats(Stats::RunTime).context("the kernel does not measure programs")?;
            switch.replace(Some(on));
        }
        Ok(0)
    };
    let batch = scenario::measure(scenario, scenario::operations(scenario), &turn)?;
    let programs = programs()?;
    // The kernel keeps 15 bytes of a name, but queue-trace loads in the order of its hooks, and then the
    // program that looks at the queues.
    let named = [hooks.len(), hooks.len() + 1].contains(&programs.len());
    for (place, program) in programs.into_iter().enumerate() {
        let earlier = before.get(&program.id());
        let runs = program.run_count() - earlier.map_or(0, ProgramInfo::run_count);
        let time =
            program.run_time() - earlier.map_or_else(Default::default, ProgramInfo::run_time);
        if runs > 0 {
            say(&Sample::Program {
                tracer,
                scenario,
                name: match hooks.get(place).filter(|_| named) {
                    Some(hook) => hook.name(),
                    None => program.name_as_str().unwrap_or("?").into(),
                },
                runs: runs as f64 / f64::from(batch.operations),
                instructions: time.as_nanos() as f64 / f64::from(batch.operations),
            })?;
        }
    }
    Ok(())
}

fn programs() -> Result<Vec<ProgramInfo>> {
    Ok(loaded_programs().collect::<Result<_, _>>()?)
}

/// The memory of a map, as `/proc` shows it for a descriptor.
fn locked(id: u32) -> Result<u64> {
    use std::os::fd::{AsFd, AsRawFd};
    let info = aya::maps::MapInfo::from_id(id)?;
    let fd = info.fd()?;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    bytes.and_then(|bytes| bytes.trim().parse().ok()).context("no memlock in fdinfo")
}
