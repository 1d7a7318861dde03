//! What the kernel side is told of this machine and of what is wanted.

use queue_trace_common::{Config, MAX_PORTS, MISSING, Offsets, group, ring_records};

use super::attach::Settings;
use super::btf::Btf;
use super::hooks::{Hook, Plan, Readable, Tier};
use super::{offsets, symbols};
use crate::procfs;

/// The most processes that accept, each listener's its own: half a megabyte of kernel memory, and 32 KiB for
/// each CPU.
const MOST_WORKERS: u32 = 4096;

/// Bytes of the ring buffer for all records: 47,000, a twentieth of a second of a million SYNs a second.
const RING_BUFFER_ALONE: u32 = 4 << 20;
/// The same where each CPU has a ring of its own.
const RING_BUFFER_BESIDE: u32 = 1 << 20;
/// The least that can be, where nothing is streamed: a page of the largest kind, which the kernel makes no less of.
const LEAST_RING_BUFFER: u32 = 64 << 10;

/// Why this CPU's slots of the kernel's counters cannot be found: `kernel.kptr_restrict`, no `CAP_SYSLOG`, or a kernel without
/// `CONFIG_KALLSYMS_ALL`.
const HIDDEN: &str = "/proc/kallsyms shows no address of __per_cpu_offset";

/// What is to be known of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    offsets: Offsets,
    acked_mask: u32,
    per_cpu_offset: Option<u64>,
    this_cpu: Option<u32>,
    cast: Option<[u32; 2]>,
    /// Whether what the kernel side stores is seen in the order in which it stores it.
    ordered: bool,
    /// How many CPUs there can be.
    pub(super) cpus: u32,
}

impl Machine {
    /// Looks for it. `own`: the types are the running kernel's own, so that their numbers are what it knows them by.
    pub(super) fn look(btf: &Btf, own: bool) -> Result<Self, String> {
        let this_cpu =
            btf.variable(offsets::THIS_CPU).filter(|_| own && cfg!(target_arch = "x86_64"));
        Ok(Self {
            offsets: offsets::resolve(btf).map_err(|error| error.to_string())?,
            acked_mask: offsets::acked(btf).map_or(0, |(_, mask)| mask),
            // Reading the symbols takes longer than everything else.
            per_cpu_offset: if this_cpu.is_none() { symbols::per_cpu_offset() } else { None },
            this_cpu,
            cast: offsets::cast(btf).filter(|_| own),
            ordered: cfg!(target_arch = "x86_64"),
            cpus: aya::util::nr_cpus().map_or(1, |cpus| cpus.max(1) as u32),
        })
    }

    /// The same machine, of which everything is read by helper.
    pub(super) const fn without_cast(self) -> Self {
        Self { cast: None, ..self }
    }

    /// The same machine, of which `/proc/kallsyms` tells where each CPU's variables are.
    pub(super) fn without_this_cpu(self) -> Self {
        Self { this_cpu: None, per_cpu_offset: symbols::per_cpu_offset(), ..self }
    }

    /// The same machine, of which nobody knows where this CPU's slots of the kernel's counters are.
    pub(super) const fn without_counters(self) -> Self {
        Self { this_cpu: None, per_cpu_offset: None, ..self }
    }

    /// The same machine, on which nothing is going to run: some address stands in for one that is not known.
    pub(super) fn unreal(self) -> Self {
        Self { per_cpu_offset: self.per_cpu_offset.or(Some(1)), ..self }
    }

    /// Whether it is told by [`offsets::THIS_CPU`] where each CPU's variables are.
    pub(super) const fn knows_this_cpu(&self) -> bool {
        self.this_cpu.is_some()
    }

    /// The same machine without a ring for each CPU.
    pub(super) const fn without_rings(self) -> Self {
        Self { ordered: false, ..self }
    }

    /// Whether the kernel makes typed pointers of addresses.
    pub(super) const fn casts(&self) -> bool {
        self.cast.is_some()
    }

    /// Whether this CPU's slots of the kernel's counters can be found.
    const fn slots(&self) -> bool {
        self.this_cpu.is_some() || self.per_cpu_offset.is_some()
    }

    /// What is done without the hooks that were refused, and what the programs have to know for it.
    pub(super) fn plan(
        &self,
        tier: Tier,
        btf: &Btf,
        refused: &[Hook],
        settings: &Settings,
    ) -> Result<(Plan, Config), String> {
        let Offsets { is_mptcp, drop_request, first_subflow, .. } = self.offsets;
        let readable = Readable {
            slots: self.slots(),
            namespaces: self.offsets.hash_mix != MISSING,
            cheaply: self.casts(),
            dear_hooks: btf.has_struct("bpf_tramp_run_ctx"),
            fastopen: self.offsets.fastopen_counters != MISSING,
            sent: self.offsets.tcp_statistics != MISSING && self.offsets.out_segments != MISSING,
            protocols: self.offsets.request_protocol != MISSING && !procfs::has_dccp(),
            joins: first_subflow == MISSING || is_mptcp != MISSING && drop_request != MISSING,
        };
        let mut plan = Plan::new(tier, btf, refused, readable)?;
        let config = self.configuration(&mut plan, settings);
        Ok((plan, config))
    }

    fn configuration(&self, plan: &mut Plan, settings: &Settings) -> Config {
        let Self { offsets, per_cpu_offset, this_cpu, cast, cpus, acked_mask, ordered } = *self;
        let slots = self.slots();
        let [cast, numbers] = cast.unwrap_or_default();
        if !slots {
            plan.losses.push(format!("failed Fast Open attempts ({HIDDEN})"));
        } else if offsets.fastopen_counters == MISSING {
            plan.losses.push("failed Fast Open attempts".into());
        }
        if !slots && plan.syn_by_mib {
            let queues = "full SYN queues apart from full accept queues";
            plan.losses.push(format!("{queues} ({HIDDEN})"));
        }
        if !slots && plan.ack_by_mib {
            plan.losses.push(format!("refused final ACKs ({HIDDEN})"));
        }
        let (ring, ring_buffer) = match settings.stream {
            0 => (0, LEAST_RING_BUFFER),
            _ if ordered => {
                let records = settings.ring_records.unwrap_or_else(|| ring_records(cpus));
                (records, RING_BUFFER_BESIDE)
            }
            _ => (0, RING_BUFFER_ALONE),
        };
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
            syn_groups: groups(plan),
            queued_by_mib: u32::from(plan.queued_by_mib),
            progress_by_mib: u32::from(plan.progress_by_mib),
            cookie_can_drop: u32::from(plan.cookie_can_drop),
            hashdance_by_return: u32::from(plan.hashdance_by_return),
            ledgers: u32::from(plan.ledgers),
            ack_by_mib: u32::from(plan.ack_by_mib),
            verify: u32::from(settings.verify && slots),
            counts_retransmit: u32::from(plan.counts_retransmit),
            acked_mask,
            cpus,
            ring,
            ring_buffer,
            workers: if settings.workers { MOST_WORKERS } else { 0 },
            slots: slots.into(),
            this_cpu: this_cpu.unwrap_or(0),
            cast,
            numbers,
        }
    }
}

/// What of the kernel's counters tells what became of a SYN.
fn groups(plan: &Plan) -> u32 {
    let wanted = [
        (plan.cookie_can_drop || plan.progress_by_mib, group::REFUSALS),
        (plan.syn_by_mib, group::SYN_QUEUE),
        (plan.cookie_by_mib, group::COOKIES),
        (plan.fastopen_by_mib, group::FASTOPEN | group::REFUSALS),
    ];
    let wanted = wanted.iter().filter(|(is_wanted, _)| *is_wanted);
    wanted.fold(0, |all, (_, group)| all | group)
}
