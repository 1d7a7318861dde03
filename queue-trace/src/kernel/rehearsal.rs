//! Loading without attaching: what the kernel's verifier takes on this machine, also where it could not trace.

use super::attach::{AttachError, Settings, Took};
use super::hooks::Tier;
use super::machine::Machine;
use super::{attach, preflight, programs, types};

/// Reads the kernel's types and loads the programs of all kprobes, and drops them again.
///
/// Any kernel that knows the type loads these, with kprobes or without.
///
/// # Errors
///
/// As [`attach::attach`].
pub fn rehearse(settings: &Settings) -> Result<Took, AttachError> {
    preflight::check()?;
    let mut took = Took::default();
    let (machine, plan, config) = programs::timed(&mut took.types, || {
        let btf = types::read(settings.types.as_deref()).map_err(|error| error.to_string())?;
        let machine = Machine::look(&btf, settings.types.is_none())?;
        let (plan, config) = machine.plan(Tier::Kprobe, &btf, &[], settings)?;
        Ok::<_, AttachError>((machine, plan, config))
    })?;
    let slots = attach::slots(machine.cpus, settings.listeners);
    programs::timed(&mut took.load, || {
        let (mut ebpf, _globals) = attach::load(None, &config, slots, settings.scheduler)
            .map_err(|error| attach::explain(&error, None))?;
        programs::load_plan(&mut ebpf, None, &plan)
            .map_err(|refusal| attach::explain(&*refusal.error, Some(refusal.hook)))?;
        Ok::<_, AttachError>(())
    })?;
    Ok(took)
}
