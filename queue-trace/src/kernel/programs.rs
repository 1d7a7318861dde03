//! Loads one program into the kernel and hooks it to its function.

use std::error::Error as StdError;
use std::io;

use aya::Ebpf;
use aya::programs::{FEntry, FExit, KProbe, Program, ProgramError};

use super::hooks::{At, Hook, Plan, Tier};

/// A hook that the kernel did not take, and why.
pub(super) struct Refusal {
    pub(super) hook: Hook,
    pub(super) error: Box<dyn StdError + Send + Sync>,
}

impl Refusal {
    /// Whether it is the privilege that is missing.
    pub(super) fn denied(&self) -> bool {
        denied(&*self.error)
    }
}

/// Attaches all hooks of a plan, in its order; `types` are those that fentry asks for.
pub(super) fn hook_all(
    ebpf: &mut Ebpf,
    types: Option<&aya::Btf>,
    plan: &Plan,
) -> Result<(), Refusal> {
    for hook in &plan.hooks {
        let refusal = |error| Refusal { hook: *hook, error };
        let program = ebpf
            .program_mut(hook.program)
            .ok_or_else(|| refusal(format!("the object has no program {}", hook.program).into()))?;
        match (plan.tier, types) {
            (Tier::Fentry, Some(types)) => hook_fentry(program, hook, types),
            _ => hook_kprobe(program, hook),
        }
        .map_err(refusal)?;
    }
    Ok(())
}

fn hook_fentry(
    program: &mut Program,
    hook: &Hook,
    types: &aya::Btf,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    match hook.at {
        At::Entry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(hook.function, types)?;
            program.attach()?;
        }
        At::Return => {
            let program: &mut FExit = program.try_into()?;
            program.load(hook.function, types)?;
            program.attach()?;
        }
    }
    Ok(())
}

/// The program itself knows whether it is for the entry or the return.
fn hook_kprobe(program: &mut Program, hook: &Hook) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let program: &mut KProbe = program.try_into()?;
    program.load()?;
    program.attach(hook.function, 0)?;
    Ok(())
}

/// Whether an error says that the privilege is missing. The verifier answers with the same number when
/// it rejects a program, but then it gives its reasons.
pub(super) fn denied(error: &(dyn StdError + 'static)) -> bool {
    objection(error).is_none()
        && system_error(error).is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// What the verifier has against a program: the last line of its log but the statistics.
pub(super) fn objection(error: &(dyn StdError + 'static)) -> Option<String> {
    let Some(ProgramError::LoadError { verifier_log, .. }) = error.downcast_ref() else {
        return None;
    };
    let log = verifier_log.to_string();
    let statistics = |line: &&str| {
        ["processed ", "stack depth ", "verification time "].iter().any(|s| line.starts_with(s))
    };
    let told = log.lines().rfind(|line| !line.is_empty() && !statistics(line));
    told.map(|line| line.trim_end_matches('\0').to_owned())
}

/// The failed system call's error, wherever it stands in the chain.
pub(super) fn system_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
