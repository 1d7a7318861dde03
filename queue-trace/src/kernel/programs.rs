//! Loads the programs into the kernel and hooks them to their functions.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::ProgramArray;
use aya::programs::links::FdLink;
use aya::programs::{FEntry, FExit, KProbe, Program, ProgramError};
use aya::util::KernelVersion;

use super::hooks::{At, Hook, Plan, Tier};
use super::pipeline;

/// What it took to get ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Reading the kernel's types, and finding in them where things are.
    pub types: Duration,
    /// Loading maps and programs; most of it is the kernel's verifier.
    pub load: Duration,
    /// Attaching the programs; what was loaded meanwhile is not told again.
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

/// Loads the programs of all hooks of a plan and attaches them in its order; `types` are those that fentry asks
/// for. The links, by program, where they are ours to keep: kprobes without stay with their programs.
///
/// Nothing counts yet, so that what is loaded is attached while other processors load what comes after it. What attaching
/// takes is told apart from the rest, which is what the verifier takes.
pub(super) fn hook_all(
    ebpf: &mut Ebpf,
    types: Option<&aya::Btf>,
    plan: &Plan,
    took: &mut Took,
) -> Result<Vec<(&'static str, FdLink)>, Refusal> {
    let (mut links, mut attaching) = (Vec::new(), Duration::ZERO);
    timed(&mut took.load, || {
        load_plan(ebpf, types, plan, |hook, program| {
            let link = timed(&mut attaching, || attach(program, hook))?;
            links.extend(link.map(|link| (hook.program, link)));
            Ok(())
        })?;
        join_ends(ebpf, plan)
    })?;
    took.load = took.load.saturating_sub(attaching);
    took.attach += attaching;
    Ok(links)
}

/// Loads the programs of all hooks of a plan, and does something with each in its order.
pub(super) fn load_plan(
    ebpf: &mut Ebpf,
    types: Option<&aya::Btf>,
    plan: &Plan,
    then: impl FnMut(&Hook, &mut Program) -> Outcome,
) -> Result<(), Refusal> {
    let hooked = hooked(ebpf, plan)?;
    load_all(hooked, types.filter(|_| plan.tier == Tier::Fentry), then)
}

/// The map in which programs find the one that they go on with.
pub(super) const ENDS_OF_SYNS: &str = "ENDS_OF_SYNS";

/// Tells the programs that go on with another one with which. They were refused when that is of another kind for the kernel.
fn join_ends(ebpf: &mut Ebpf, plan: &Plan) -> Result<(), Refusal> {
    let Some(hook) = plan.hooks.iter().find(|hook| hook.ends_dispatch()) else {
        return Ok(());
    };
    let mut put = || -> Outcome {
        let program =
            ebpf.program(hook.program).ok_or(ProgramError::NotLoaded)?.fd()?.try_clone()?;
        let ends = ebpf.map_mut(ENDS_OF_SYNS).ok_or(ProgramError::NotLoaded)?;
        Ok(ProgramArray::try_from(ends)?.set(0, &program, 0)?)
    };
    put().map_err(|error| Refusal { hook: *hook, error })
}

/// The hooks of a plan with their programs, in its order.
fn hooked<'a>(ebpf: &'a mut Ebpf, plan: &Plan) -> Result<Vec<(Hook, &'a mut Program)>, Refusal> {
    let mut programs: HashMap<_, _> = ebpf.programs_mut().collect();
    let mut hooked = Vec::new();
    for hook in &plan.hooks {
        let program = programs.remove(hook.program);
        let missing = || format!("the object has no program {}", hook.program).into();
        let program = program.ok_or_else(|| Refusal { hook: *hook, error: missing() })?;
        hooked.push((*hook, program));
    }
    Ok(hooked)
}

/// The kernel verifies as many programs at once as it is asked to, and most of the time to start is the verifier's:
/// each processor loads some. Of several refusals the first of the plan is told.
fn load_all(
    hooked: Vec<(Hook, &mut Program)>,
    types: Option<&aya::Btf>,
    mut then: impl FnMut(&Hook, &mut Program) -> Outcome,
) -> Result<(), Refusal> {
    let threads = available_parallelism().map_or(1, |threads| threads.get().min(MOST_THREADS));
    let refused = |hook| move |error| Refusal { hook, error };
    pipeline::run(
        hooked,
        threads,
        |(hook, program)| {
            load(program, &hook, types).map_err(refused(hook))?;
            Ok((hook, program))
        },
        |(hook, program)| then(&hook, program).map_err(refused(hook)),
    )
}

/// More do not help: one of the programs takes a sixth of the verifier's time.
const MOST_THREADS: usize = 6;

type Outcome = Result<(), Box<dyn StdError + Send + Sync>>;

/// A program without types is for a kprobe; itself knows whether it is for the entry or the return.
fn load(program: &mut Program, hook: &Hook, types: Option<&aya::Btf>) -> Outcome {
    match (types, hook.at) {
        (None, _) => <&mut KProbe>::try_from(program)?.load()?,
        (Some(types), At::Entry) => {
            <&mut FEntry>::try_from(program)?.load(hook.function, types)?;
        }
        (Some(types), At::Return) => {
            <&mut FExit>::try_from(program)?.load(hook.function, types)?;
        }
    }
    Ok(())
}

/// The link, unless the program keeps it.
fn attach(
    program: &mut Program,
    hook: &Hook,
) -> Result<Option<FdLink>, Box<dyn StdError + Send + Sync>> {
    let link = match program {
        Program::FEntry(program) => {
            let link = program.attach()?;
            program.take_link(link)?.into()
        }
        Program::FExit(program) => {
            let link = program.attach()?;
            program.take_link(link)?.into()
        }
        program => {
            let program = <&mut KProbe>::try_from(program)?;
            let link = program.attach(hook.function, 0)?;
            if !kprobes_have_links() {
                return Ok(None);
            }
            FdLink::try_from(program.take_link(link)?)?
        }
    };
    Ok(Some(link))
}

/// Whether a kprobe is held by a BPF link, as from Linux 5.15 on. On a kernel whose version it cannot read, aya takes
/// the old way.
fn kprobes_have_links() -> bool {
    aya::features().bpf_perf_link() && KernelVersion::current().is_ok()
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

/// An error with its causes.
#[cfg(feature = "serve")]
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text += &format!(": {error}");
        next = error.source();
    }
    text
}
