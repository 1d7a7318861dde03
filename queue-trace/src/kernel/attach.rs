//! Loads the kernel side and attaches it.

use std::error::Error as StdError;
use std::path::PathBuf;

use aya::programs::{ProgramError, RawTracePoint};
use aya::{Ebpf, EbpfLoader, RawTracePointRunOptions, TestRun as _, include_bytes_aligned};
use queue_trace_common::{Config, Counters, MAX_PORTS, Offsets};

use super::btf::Btf;
use super::hooks::{Hook, Plan, Tier};
use super::misses::Misses;
pub use super::programs::Took;
use super::programs::{self, Refusal};
use super::tracefs::Leftovers;
use super::{offsets, preflight, symbols, types};

/// The kernel side, as the build script made it.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/queue-trace-ebpf"));

/// The most listeners that are told apart at once.
const MOST_SLOTS: u32 = 4096;
/// What the per-CPU counters may take of kernel memory, all CPUs together.
const COUNTER_BYTES: usize = 64 << 20;

/// The program that we run ourselves.
const LOOK: &str = "look_at_queues";

/// What is not visible on kernels before 6.7.
const SILENT: &str = "probes that the kernel skips while another one runs (the books tell)";

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
    /// By which means; none: fentry, or kprobes where fentry is refused.
    pub tier: Option<Tier>,
    /// The kernel's types, where it does not show them itself.
    pub types: Option<PathBuf>,
}

/// A kernel side that is attached; dropping it detaches it.
pub struct Attached {
    /// The loaded object.
    pub ebpf: Ebpf,
    /// What was attached and what could not be.
    pub plan: Plan,
    /// How many listeners can be told apart.
    pub slots: u32,
    /// Whether the cookies of network namespaces are known.
    pub netns_cookies: bool,
    /// What it took; with a tier that failed and hooks that were refused.
    pub took: Took,
    // Behind the programs: dropped after them.
    _leftovers: Option<Leftovers>,
}

impl Attached {
    /// Has the kernel side look who waits in the accept queues of these slots.
    ///
    /// # Errors
    ///
    /// When the kernel does not run the program.
    pub fn look(&mut self, slots: impl Iterator<Item = u32>) -> Result<(), ProgramError> {
        let Some(program) = self.ebpf.program_mut(LOOK) else { return Ok(()) };
        let program: &mut RawTracePoint = program.try_into()?;
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
        Misses::read(&self.ebpf, self.plan.tier)
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

impl From<String> for AttachError {
    fn from(line: String) -> Self {
        Self { line, denied: false }
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
    // With a file, the kernel most likely lacks what fentry needs.
    let wanted = settings.tier.or(settings.types.as_ref().map(|_| Tier::Kprobe));
    if let Some(tier) = wanted {
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
/// A hook that the kernel refuses to attach is left out, and the whole is loaded anew, because the
/// programs have to know what stands in for it.
fn attach_by(
    tier: Tier,
    btf: &Btf,
    settings: &Settings,
    took: &mut Took,
) -> Result<Attached, AttachError> {
    let offsets = programs::timed(&mut took.types, || offsets::resolve(btf))
        .map_err(|error| error.to_string())?;
    let types = match tier {
        Tier::Fentry => Some(
            programs::timed(&mut took.types, aya::Btf::from_sys_fs)
                .map_err(|error| format!("cannot read this kernel's BTF: {error}"))?,
        ),
        Tier::Kprobe => {
            preflight::kprobes()?;
            None
        }
    };
    let leftovers = (tier == Tier::Kprobe).then(Leftovers::of_the_dead);
    let left_out = |hook: &&Hook| {
        settings.without.iter().any(|name| name == hook.program || name == hook.function)
    };
    let mut refused: Vec<_> = tier.hooks().iter().filter(left_out).copied().collect();
    let mut reasons = Vec::new();
    let per_cpu_offset = symbols::per_cpu_offset();
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus.max(1) as u32);
    let slots = slots(cpus);
    loop {
        let mut plan = Plan::new(tier, btf, &refused, per_cpu_offset.is_some())?;
        let mut config = configuration(&mut plan, offsets, per_cpu_offset, settings);
        config.cpus = cpus;
        config.acked_mask = offsets::acked(btf).map_or(0, |(_, mask)| mask);
        let loaded = programs::timed(&mut took.load, || load(types.as_ref(), &config, slots));
        let mut ebpf = loaded.map_err(|error| AttachError {
            line: explain(&error, None),
            denied: programs::denied(&error),
        })?;
        match programs::hook_all(&mut ebpf, types.as_ref(), &plan, took) {
            Ok(()) => {
                let look = ebpf.program_mut(LOOK).and_then(|look| look.try_into().ok());
                if let Some(look) = look {
                    RawTracePoint::load(look).map_err(|error| explain(&error, None))?;
                }
                if Misses::read(&ebpf, tier).silent {
                    plan.losses.push(SILENT.into());
                }
                let netns_cookies = offsets.netns_cookie != queue_trace_common::MISSING;
                plan.refused = reasons;
                return Ok(Attached {
                    ebpf,
                    plan,
                    slots,
                    netns_cookies,
                    took: *took,
                    _leftovers: leftovers,
                });
            }
            Err(refusal) if !refusal.hook.required && !refusal.denied() => {
                reasons.push(explain(&*refusal.error, Some(refusal.hook)));
                refused.push(refusal.hook);
            }
            Err(refusal) => {
                let denied = refusal.denied();
                let Refusal { hook, error } = refusal;
                return Err(AttachError { line: explain(&*error, Some(hook)), denied });
            }
        }
    }
}

fn configuration(
    plan: &mut Plan,
    offsets: Offsets,
    per_cpu_offset: Option<u64>,
    settings: &Settings,
) -> Config {
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
        no_graft: u32::from(plan.no_graft),
        migrate_by_mib: u32::from(plan.migrate_by_mib),
        syn_by_mib: u32::from(plan.syn_by_mib),
        ack_by_mib: u32::from(plan.ack_by_mib),
        verify: u32::from(settings.verify && per_cpu_offset.is_some()),
        counts_retransmit: u32::from(plan.counts_retransmit),
        acked_mask: 0,
        cpus: 0,
        reserved: 0,
    }
}

/// As many listeners as the counters' memory allows on this machine.
fn slots(cpus: u32) -> u32 {
    let fit = COUNTER_BYTES / (cpus as usize * size_of::<Counters>());
    u32::try_from(fit).unwrap_or(MOST_SLOTS).clamp(64, MOST_SLOTS)
}

fn load(types: Option<&aya::Btf>, config: &Config, slots: u32) -> Result<Ebpf, aya::EbpfError> {
    EbpfLoader::new()
        .btf(types)
        .override_global("CONFIG", config, true)
        .map_max_entries("LISTENERS", 2 * slots)
        .map_max_entries("LISTENER_INFO", slots)
        .map_max_entries("COUNTERS", slots * config.cpus)
        .map_max_entries("TROUBLES", config.cpus)
        .map_max_entries("FULL_TIME", slots)
        .map_max_entries("FREE_SLOTS", slots)
        .load(OBJECT)
}

fn explain(error: &(dyn StdError + 'static), hook: Option<Hook>) -> String {
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
