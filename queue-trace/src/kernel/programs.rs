//! Loads one program into the kernel and hooks it to its function.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::programs::{FEntry, FExit, KProbe, Program, ProgramError};

use super::hooks::{At, Hook, Plan, Tier};

/// What it took to get ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Reading the kernel's types, and finding in them where things are.
    pub types: Duration,
    /// Loading maps and programs; most of it is the kernel's verifier.
    pub load: Duration,
    /// Attaching the programs.
    pub attach: Duration,
}

/// Adds what something takes.
pub(super) fn timed<T>(took: &mut Duration, what: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = what();
    *took += begin.elapsed();
    done
}

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

/// Attaches all hooks of a plan, in its order; `types` are those that fentry asks for. What the kernel's verifier
/// takes is told apart from attaching.
pub(super) fn hook_all(
    ebpf: &mut Ebpf,
    types: Option<&aya::Btf>,
    plan: &Plan,
    took: &mut Took,
) -> Result<(), Refusal> {
    for hook in &plan.hooks {
        let refusal = |error| Refusal { hook: *hook, error };
        let program = ebpf
            .program_mut(hook.program)
            .ok_or_else(|| refusal(format!("the object has no program {}", hook.program).into()))?;
        match (plan.tier, types) {
            (Tier::Fentry, Some(types)) => hook_fentry(program, hook, types, took),
            _ => hook_kprobe(program, hook, took),
        }
        .map_err(refusal)?;
    }
    Ok(())
}

fn hook_fentry(
    program: &mut Program,
    hook: &Hook,
    types: &aya::Btf,
    took: &mut Took,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    match hook.at {
        At::Entry => {
            let program: &mut FEntry = program.try_into()?;
            timed(&mut took.load, || program.load(hook.function, types))?;
            timed(&mut took.attach, || program.attach())?;
        }
        At::Return => {
            let program: &mut FExit = program.try_into()?;
            timed(&mut took.load, || program.load(hook.function, types))?;
            timed(&mut took.attach, || program.attach())?;
        }
    }
    Ok(())
}

/// The program itself knows whether it is for the entry or the return.
fn hook_kprobe(
    program: &mut Program,
    hook: &Hook,
    took: &mut Took,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let program: &mut KProbe = program.try_into()?;
    timed(&mut took.load, || program.load())?;
    timed(&mut took.attach, || program.attach(hook.function, 0))?;
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
