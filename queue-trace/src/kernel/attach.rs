//! Loads the kernel side and attaches it.

use std::error::Error as StdError;
use std::path::PathBuf;

use aya::programs::links::FdLink;
use aya::programs::{ProgramError, RawTracePoint};
use aya::{Ebpf, EbpfLoader, RawTracePointRunOptions, TestRun as _, include_bytes_aligned};
use queue_trace_common::{Config, Counters, MISSING, Offsets};

use super::btf::{Btf, BtfError};
use super::fallback::Fallback;
use super::globals::Globals;
use super::hooks::{Hook, Plan, Tier};
use super::layout::Layout;
use super::machine::Machine;
use super::misses::Misses;
use super::objects::Objects;
use super::programs;
pub use super::programs::Took;
use super::scheduler::{MOST_PROCESSES, MOST_THREADS, Scheduler, SchedulerError};
use super::tracefs::Leftovers;
use super::{constants, offsets, preflight, symbols, types};

/// The kernel side, as the build script made it.
pub(super) static OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/queue-trace-ebpf"));

/// How many listeners are told apart at once, where there are not so many at the start that it may not do.
const ORDINARY_SLOTS: usize = 4096;
/// What the per-CPU counters may take of kernel memory, all CPUs together.
const COUNTER_BYTES: usize = 64 << 20;
/// The same where there are more listeners: 10,000 on 12 CPUs.
const MOST_COUNTER_BYTES: usize = 256 << 20;

/// The program that we run ourselves.
pub(super) const LOOK: &str = "look_at_queues";

/// What stands for the rings of each CPU among what is left out.
const RINGS: &str = "rings";

/// What is not visible on kernels before 6.7.
const SILENT: &str = "probes that the kernel skips while another one runs (the books tell)";

/// What the kernel side is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Outcomes to stream, bit by number.
    pub stream: u64,
    /// Ports to stream; none: all. The kernel side takes [`queue_trace_common::MAX_PORTS`]; what is more, the reader
    /// has to filter.
    pub ports: Vec<u16>,
    /// How many listeners there are now.
    pub listeners: usize,
    /// Compare each outcome with the kernel's own counters.
    pub verify: bool,
    /// Count accepted connections by process, too.
    pub workers: bool,
    /// Ask the scheduler how the processes spend their time that hold listeners, too.
    pub scheduler: bool,
    /// Programs to leave out, as if the kernel had refused them, and `bpf_rdonly_cast`, `this_cpu_off`, that and
    /// `__per_cpu_offset`, and `rings` (tests of what is then reported).
    pub without: Vec<String>,
    /// How many records each CPU's ring holds, a power of two; none: as many as there are usually (tests of full rings).
    pub ring_records: Option<u32>,
    /// By which means; none: fentry, or kprobes where fentry is refused.
    pub tier: Option<Tier>,
    /// The kernel's types, where it does not show them itself.
    pub types: Option<PathBuf>,
}

impl Settings {
    /// By which means it has to be. With a file of types, the kernel most likely lacks what fentry needs.
    pub(super) fn wanted(&self) -> Option<Tier> {
        self.tier.or(self.types.as_ref().map(|_| Tier::Kprobe))
    }
}

/// Links by the programs that they hold.
pub type Links = Vec<(&'static str, FdLink)>;

/// A kernel side that is attached; dropping it detaches it.
pub struct Attached {
    /// The programs and maps.
    pub objects: Objects,
    /// What holds the programs to their functions, but for kprobes that stay with their programs.
    pub links: Links,
    /// What was attached and what could not be.
    pub plan: Plan,
    /// The programs of hooks that were left out.
    pub left_out: Vec<&'static str>,
    /// What another process has to have the same to go on with this.
    pub layout: Layout,
    /// Whether a former process has begun to count with this.
    pub counting: bool,
    /// Whether accepted connections are counted by process, too.
    pub workers: bool,
    /// What the scheduler tells, or why it does not; nothing where it is not asked.
    pub scheduler: Option<Result<Scheduler, SchedulerError>>,
    /// Whether the cookies of network namespaces are known.
    pub netns_cookies: bool,
    /// What it took; with a tier that failed and hooks that were refused.
    pub took: Took,
    // Behind the programs: dropped after them.
    #[expect(dead_code, reason = "held to be dropped")]
    pub(super) leftovers: Option<Leftovers>,
}

impl Attached {
    /// Has the kernel side look who waits in the accept queues of these slots.
    ///
    /// # Errors
    ///
    /// When the kernel does not run the program.
    pub fn look(&mut self, slots: impl Iterator<Item = u32>) -> Result<(), ProgramError> {
        let program = self.objects.runnable(LOOK)?;
        for slot in slots {
            let mut options = RawTracePointRunOptions::new();
            options.args[0] = u64::from(slot);
            program.test_run(options)?;
        }
        Ok(())
    }

    /// Calls of our programs that the kernel has skipped so far.
    #[must_use]
    pub fn misses(&self) -> Misses {
        Misses::read(&self.objects, self.plan.tier)
    }
}

/// Why nothing could be attached; one line, with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{line}")]
pub struct AttachError {
    line: String,
    /// Whether it is the privilege that is missing, so that nothing else will do.
    denied: bool,
}

impl AttachError {
    pub(super) const fn new(line: String, denied: bool) -> Self {
        Self { line, denied }
    }
}

impl From<String> for AttachError {
    fn from(line: String) -> Self {
        Self::new(line, false)
    }
}

/// Loads and attaches everything that this kernel allows; nothing counts before it is armed.
///
/// # Errors
///
/// One line for the user: no privileges, no BTF, a kernel that refuses tracing.
pub fn attach(settings: &Settings) -> Result<Attached, AttachError> {
    preflight::check()?;
    let mut took = Took::default();
    let btf = programs::timed(&mut took.types, || types::read(settings.types.as_deref()))
        .map_err(|error| error.to_string())?;
    if let Some(tier) = settings.wanted() {
        return attach_by(tier, &btf, settings, &mut took);
    }
    let refusal = match attach_by(Tier::Fentry, &btf, settings, &mut took) {
        Err(refusal) if !refusal.denied => refusal,
        done => return done,
    };
    let mut attached =
        attach_by(Tier::Kprobe, &btf, settings, &mut took).map_err(|error| AttachError {
            line: format!("{error} (and before, by fentry: {refusal})"),
            denied: error.denied,
        })?;
    attached.plan.refusal = Some(refusal.line);
    Ok(attached)
}

/// Attaches by one means.
///
/// What the kernel refuses is left out, as far as it goes without.
fn attach_by(
    tier: Tier,
    btf: &Btf,
    settings: &Settings,
    took: &mut Took,
) -> Result<Attached, AttachError> {
    let mut machine =
        programs::timed(&mut took.types, || Machine::look(btf, settings.types.is_none()))?;
    let without = |what| settings.without.iter().any(|name| name == what);
    if without(offsets::CAST) {
        machine = machine.without_cast();
    }
    if without(offsets::THIS_CPU) {
        machine = machine.without_this_cpu();
    }
    if without(symbols::PER_CPU_OFFSET) {
        machine = machine.without_counters();
    }
    if without(RINGS) {
        machine = machine.without_rings();
    }
    let types = match tier {
        Tier::Fentry => Some(
            programs::timed(&mut took.types, || functions(btf, settings))
                .map_err(|error| format!("cannot read this kernel's BTF: {error}"))?,
        ),
        Tier::Kprobe => {
            preflight::kprobes()?;
            None
        }
    };
    let leftovers = (tier == Tier::Kprobe).then(Leftovers::of_the_dead);
    let left_out = |hook: &&Hook| without(hook.program) || without(hook.function);
    let refused = tier.hooks().iter().filter(left_out).copied().collect();
    let mut fallback = Fallback { machine, refused, reasons: Vec::new() };
    let slots = slots(machine.cpus, settings.listeners);
    loop {
        let (mut plan, config) = fallback.machine.plan(tier, btf, &fallback.refused, settings)?;
        let load = || load(types.as_ref(), &config, slots, settings.scheduler);
        let loaded = programs::timed(&mut took.load, load);
        let (mut ebpf, globals) = loaded
            .map_err(|error| AttachError::new(explain(&error, None), programs::denied(&error)))?;
        match programs::hook_all(&mut ebpf, types.as_ref(), &plan, took) {
            Ok(links) => {
                let look = ebpf.program_mut(LOOK).and_then(|look| look.try_into().ok());
                if let Some(look) = look {
                    RawTracePoint::load(look).map_err(|error| explain(&error, None))?;
                }
                let mut objects = Objects::Loaded(Box::new(ebpf), Box::new(globals));
                if Misses::read(&objects, tier).silent {
                    plan.losses.push(SILENT.into());
                }
                plan.refused = fallback.reasons;
                let scheduler =
                    settings.scheduler.then(|| scheduler(&config, &mut objects, settings));
                return Ok(Attached {
                    objects,
                    links,
                    left_out: fallback.refused.iter().map(|hook| hook.program).collect(),
                    layout: Layout::new(OBJECT, &plan, &config),
                    counting: false,
                    scheduler,
                    netns_cookies: config.offsets.netns_cookie != MISSING,
                    plan,
                    workers: settings.workers,
                    took: *took,
                    leftovers,
                });
            }
            Err(refusal) => fallback.yield_to(refusal)?,
        }
    }
}

/// What aya has to know of the running kernel's types. Of a file the numbers can be others.
fn functions(btf: &Btf, settings: &Settings) -> Result<aya::Btf, BtfError> {
    let own = settings.types.is_some().then(Btf::from_kernel).transpose()?;
    let hooked = Tier::Fentry.hooks().iter().map(|hook| hook.function);
    Ok(own.as_ref().unwrap_or(btf).excerpt(hooked))
}

/// As many listeners as can be told apart on this machine: twice those that there are, within what the counters
/// may take.
pub(super) fn slots(cpus: u32, listeners: usize) -> u32 {
    let fit = |bytes| bytes / (cpus as usize * size_of::<Counters>());
    let ordinary = fit(COUNTER_BYTES).clamp(64, ORDINARY_SLOTS);
    let wanted = (2 * listeners).min(fit(MOST_COUNTER_BYTES));
    u32::try_from(ordinary.max(wanted)).unwrap_or(u32::MAX / 2)
}

pub(super) fn load(
    types: Option<&aya::Btf>,
    config: &Config,
    slots: u32,
    scheduler: bool,
) -> Result<(Ebpf, Globals), aya::EbpfError> {
    // The kernel makes no map without room.
    let workers = config.workers.max(1);
    let globals = Globals::new(config.cpus)?;
    let (processes, threads) = if scheduler { (MOST_PROCESSES, MOST_THREADS) } else { (1, 1) };
    let ebpf = EbpfLoader::new()
        .btf(types)
        .override_global("PORTS", &config.ports, true)
        .map_max_entries("LISTENERS", 2 * slots)
        .map_max_entries("LISTENER_INFO", slots)
        .map_max_entries("COUNTERS", slots * config.cpus)
        .map_max_entries("TROUBLES", config.cpus)
        .map_max_entries("FULL_TIME", slots)
        .map_max_entries("RECORDS", config.ring_buffer)
        .map_max_entries("RINGS", config.cpus * config.ring.max(1))
        .map_max_entries("FREE_SLOTS", slots)
        .map_max_entries("WORKER_INDEX", workers)
        .map_max_entries("WORKERS", workers)
        .map_max_entries("WORKER_ACCEPTS", workers * config.cpus)
        .map_max_entries("FREE_WORKERS", workers)
        .map_max_entries("WATCHED", processes)
        .map_max_entries("THREADS", threads)
        .load(&constants::fill(OBJECT, config, &globals))?;
    Ok((ebpf, globals))
}

/// Asks the scheduler. What it tells is more than is needed, so that it cannot is no failure.
fn scheduler(
    config: &Config,
    objects: &mut Objects,
    settings: &Settings,
) -> Result<Scheduler, SchedulerError> {
    let Offsets { task_pid, task_state, .. } = config.offsets;
    if task_pid == MISSING || task_state == MISSING {
        return Err(SchedulerError::Types);
    }
    Scheduler::attach(objects, &settings.without)
}

pub(super) fn explain(error: &(dyn StdError + 'static), hook: Option<Hook>) -> String {
    let at = hook.map(|hook| format!(" to {}", hook.function)).unwrap_or_default();
    if let Some(objection) = programs::objection(error) {
        return format!(
            "cannot attach{at}: the kernel's verifier rejects the program: {objection}"
        );
    }
    match programs::system_error(error) {
        Some(cause) => format!("cannot attach{at}: {}", preflight::explain(cause)),
        None => format!("cannot attach{at}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_listeners_get_as_many_slots_and_again_as_memory_allows() {
        assert_eq!([slots(1, 0), slots(4, 100), slots(1, 10_000)], [4096, 4096, 20_000]);
        assert!(slots(1024, 0) >= 64 && slots(1024, 0) < 100);
        let bytes = |cpus, listeners| {
            slots(cpus, listeners) as usize * cpus as usize * size_of::<Counters>()
        };
        assert!(bytes(64, 1_000_000) <= MOST_COUNTER_BYTES);
    }
}
