//! Loading without attaching: what the kernel's verifier takes on this machine, also where it could not trace.

use super::attach::{AttachError, Settings, Took};
use super::fallback::Fallback;
use super::hooks::Tier;
use super::machine::Machine;
use super::{attach, preflight, programs, types};

/// Reads the kernel's types and loads the programs of all kprobes, and drops them again. Any kernel that knows BPF programs
/// of that type loads them, with kprobes or without. What is told is that of the attempt that succeeded.
///
/// # Errors
///
/// As [`attach::attach`].
pub fn rehearse(settings: &Settings) -> Result<Took, AttachError> {
    preflight::check()?;
    let mut took = Took::default();
    let (machine, btf) = programs::timed(&mut took.types, || {
        let btf = types::read(settings.types.as_deref()).map_err(|error| error.to_string())?;
        Machine::look(&btf, settings.types.is_none()).map(|machine| (machine, btf))
    })?;
    let slots = attach::slots(machine.cpus, settings.listeners);
    let mut fallback = Fallback { machine, refused: Vec::new(), reasons: Vec::new() };
    loop {
        let Fallback { machine, refused, .. } = &fallback;
        let (plan, config) = machine.unreal().plan(Tier::Kprobe, &btf, refused, settings)?;
        took.load = std::time::Duration::ZERO;
        let loaded = programs::timed(&mut took.load, || {
            let (mut ebpf, _globals) = attach::load(None, &config, slots, settings.scheduler)
                .map_err(|error| AttachError::from(attach::explain(&error, None)))?;
            Ok::<_, AttachError>(programs::load_plan(&mut ebpf, None, &plan, |_, _| Ok(())))
        })?;
        match loaded {
            Ok(()) => return Ok(took),
            Err(refusal) => fallback.yield_to(refusal)?,
        }
    }
}
