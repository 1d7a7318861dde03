//! Loads the kernel side and attaches it.

use std::error::Error as StdError;
use std::io;

use aya::programs::{FEntry, FExit, Program};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use queue_trace_common::{Config, Counters, MAX_PORTS, Offsets};

use super::btf::Btf;
use super::hooks::{At, HOOKS, Hook, Plan};
use super::{offsets, preflight, symbols};

/// The kernel side, as the build script made it.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/queue-trace-ebpf"));

/// The most listeners that are told apart at once.
const MOST_SLOTS: u32 = 4096;
/// What the per-CPU counters may take of kernel memory, all CPUs together.
const COUNTER_BYTES: usize = 64 << 20;

/// What the kernel side is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Outcomes to stream, bit by number.
    pub stream: u64,
    /// Ports to stream; none: all. The kernel side takes [`MAX_PORTS`]; what is more, the reader
    /// has to filter.
    pub ports: Vec<u16>,
    /// Compare each outcome with the kernel's own counters.
    pub verify: bool,
    /// Programs to leave out, as if the kernel had refused them (tests of what is then reported).
    pub without: Vec<String>,
}

/// A kernel side that is attached; dropping it detaches it.
pub struct Attached {
    /// The loaded object.
    pub ebpf: Ebpf,
    /// What was attached and what could not be.
    pub plan: Plan,
    /// How many listeners can be told apart.
    pub slots: u32,
}

/// Why nothing could be attached; one line, with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AttachError(String);

impl From<String> for AttachError {
    fn from(line: String) -> Self {
        Self(line)
    }
}

/// Loads and attaches everything that this kernel allows; nothing counts before it is armed.
///
/// A hook that the kernel refuses to attach is left out, and the whole is loaded anew, because the
/// programs have to know what stands in for it.
///
/// # Errors
///
/// One line for the user: no privileges, no BTF, a kernel that refuses tracing.
pub fn attach(btf: &Btf, settings: &Settings) -> Result<Attached, AttachError> {
    preflight::check()?;
    let offsets = offsets::resolve(btf).map_err(|error| error.to_string())?;
    let types = aya::Btf::from_sys_fs()
        .map_err(|error| format!("cannot read this kernel's BTF: {error}"))?;
    let left_out = |hook: &&Hook| settings.without.iter().any(|name| name == hook.program);
    let mut refused: Vec<_> = HOOKS.iter().filter(left_out).map(|hook| hook.program).collect();
    loop {
        let mut plan = Plan::new(btf, &refused)?;
        let mut config = configuration(&mut plan, offsets, settings);
        config.acked_mask = offsets::acked(btf).map_or(0, |(_, mask)| mask);
        let slots = slots();
        let mut ebpf = load(&types, &config, slots).map_err(|error| explain(&error, None))?;
        match hook_all(&mut ebpf, &types, &plan) {
            Ok(()) => return Ok(Attached { ebpf, plan, slots }),
            Err(Refusal { hook, error }) if hook_is_optional(hook, &*error) => {
                refused.push(hook.program);
            }
            Err(Refusal { hook, error }) => return Err(explain(&*error, Some(hook)).into()),
        }
    }
}

fn configuration(plan: &mut Plan, offsets: Offsets, settings: &Settings) -> Config {
    let per_cpu_offset = symbols::per_cpu_offset();
    if per_cpu_offset.is_none() {
        plan.losses.push("failed Fast Open attempts (/proc/kallsyms hides addresses)".into());
    }
    if per_cpu_offset.is_none() && plan.syn_by_mib {
        plan.losses.push(
            "full SYN queues apart from full accept queues (/proc/kallsyms hides addresses)".into(),
        );
    }
    if per_cpu_offset.is_none() && plan.ack_by_mib {
        plan.losses.push("refused final ACKs (/proc/kallsyms hides addresses)".into());
    }
    let mut ports = [0; MAX_PORTS];
    let fits = settings.ports.len() <= MAX_PORTS;
    if fits {
        ports.iter_mut().zip(&settings.ports).for_each(|(place, port)| *place = *port);
    }
    Config {
        stream: settings.stream,
        per_cpu_offset: per_cpu_offset.unwrap_or(0),
        offsets,
        ports,
        port_count: if fits { settings.ports.len() as u32 } else { 0 },
        syn_by_mib: u32::from(plan.syn_by_mib),
        ack_by_mib: u32::from(plan.ack_by_mib),
        verify: u32::from(settings.verify && per_cpu_offset.is_some()),
        counts_retransmit: u32::from(plan.counts_retransmit),
        acked_mask: 0,
    }
}

/// As many listeners as the counters' memory allows on this machine.
fn slots() -> u32 {
    let cpus = aya::util::nr_cpus().unwrap_or(1).max(1);
    let fit = COUNTER_BYTES / (cpus * size_of::<Counters>());
    u32::try_from(fit).unwrap_or(MOST_SLOTS).clamp(64, MOST_SLOTS)
}

fn load(types: &aya::Btf, config: &Config, slots: u32) -> Result<Ebpf, aya::EbpfError> {
    EbpfLoader::new()
        .btf(Some(types))
        .override_global("CONFIG", config, true)
        .map_max_entries("LISTENERS", 2 * slots)
        .map_max_entries("LISTENER_INFO", slots)
        .map_max_entries("COUNTERS", slots)
        .map_max_entries("FULL_TIME", slots)
        .map_max_entries("FREE_SLOTS", slots)
        .load(OBJECT)
}

struct Refusal {
    hook: Hook,
    error: Box<dyn StdError + Send + Sync>,
}

fn hook_all(ebpf: &mut Ebpf, types: &aya::Btf, plan: &Plan) -> Result<(), Refusal> {
    for hook in &plan.hooks {
        let refusal = |error| Refusal { hook: *hook, error };
        let program = ebpf
            .program_mut(hook.program)
            .ok_or_else(|| refusal(format!("the object has no program {}", hook.program).into()))?;
        hook_one(program, hook, types).map_err(refusal)?;
    }
    Ok(())
}

fn hook_one(
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

/// Whether to go on without the hook: it is not the privilege that is missing, and something is
/// left to count.
fn hook_is_optional(hook: Hook, error: &(dyn StdError + 'static)) -> bool {
    let denied = system_error(error)
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::PermissionDenied));
    !hook.required && !denied && HOOKS.contains(&hook)
}

/// The failed system call's error, wherever it stands in the chain.
fn system_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn explain(error: &(dyn StdError + 'static), hook: Option<Hook>) -> String {
    let at = hook.map(|hook| format!(" to {}", hook.function)).unwrap_or_default();
    match system_error(error) {
        Some(cause) => format!("cannot attach{at}: {}", preflight::explain(cause)),
        None => format!("cannot attach{at}: {error}"),
    }
}
