//! Capabilities: which are kept, and what it costs to lack one.

use std::fmt;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

use super::Needs;

/// What is lost without a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Its name.
    pub capability: &'static str,
    /// What cannot be done without it.
    pub lost: &'static str,
    set: CapabilitySet,
    /// Another one that includes it.
    or: CapabilitySet,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "without {}: no {}", self.capability, self.lost)
    }
}

/// All that are of use, the most needed first.
const COSTS: [Cost; 6] = [
    Cost {
        capability: "CAP_BPF",
        lost: "reasons, waits or exact counts, only what the poll tier shows",
        set: CapabilitySet::BPF,
        or: CapabilitySet::SYS_ADMIN,
    },
    Cost {
        capability: "CAP_PERFMON",
        lost: "reasons, waits or exact counts, only what the poll tier shows",
        set: CapabilitySet::PERFMON,
        or: CapabilitySet::SYS_ADMIN,
    },
    Cost {
        capability: "CAP_SYSLOG",
        lost: "kernel addresses, unless kernel.kptr_restrict is 0; where BTF does not have this_cpu_off, as on \
               Linux 5.10, that hides failed Fast Open attempts, refused final ACKs, and full SYN queues apart from \
               full accept queues",
        set: CapabilitySet::SYSLOG,
        or: CapabilitySet::empty(),
    },
    Cost {
        capability: "CAP_SYS_PTRACE",
        lost: "owners of listeners of other users that were there before the start, and their namespaces",
        set: CapabilitySet::SYS_PTRACE,
        or: CapabilitySet::empty(),
    },
    Cost {
        capability: "CAP_DAC_READ_SEARCH",
        lost: "owners of listeners of other users, and kprobes through tracefs",
        set: CapabilitySet::DAC_READ_SEARCH,
        or: CapabilitySet::DAC_OVERRIDE,
    },
    Cost {
        capability: "CAP_SYS_ADMIN",
        lost: "listeners that were there before the start, and the books, of other network namespaces",
        set: CapabilitySet::SYS_ADMIN,
        or: CapabilitySet::empty(),
    },
];

/// Those that this process lacks, with what that costs.
#[must_use]
pub fn missing() -> Vec<Cost> {
    // Asking about oneself cannot fail.
    let ours = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    missing_from(ours).collect()
}

fn missing_from(ours: CapabilitySet) -> impl Iterator<Item = Cost> {
    COSTS.into_iter().filter(move |cost| !ours.intersects(cost.set | cost.or))
}

/// Gives up all but what is needed, in every set.
pub(super) fn drop(needs: &Needs) -> Result<String, String> {
    let said = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    let had = capabilities(None).map_err(said("cannot read them"))?;
    let kept = had.permitted & needed(needs);
    let bound = remove_from_bounding_set(had.effective, kept);
    clear_ambient_capability_set().map_err(said("cannot clear the ambient set"))?;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(said("cannot give them up"))?;
    Ok(format!("{} kept, {bound}", names(kept)))
}

/// What the daemon needs after the start.
fn needed(needs: &Needs) -> CapabilitySet {
    // Until Linux 6.4 every bpf() call needs it where unprivileged ones are off, as they mostly are.
    let bpf = if needs.bpf { CapabilitySet::BPF } else { CapabilitySet::empty() };
    let processes = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    let other = match (needs.processes, needs.namespaces) {
        (_, true) => processes | CapabilitySet::SYS_ADMIN,
        (true, false) => processes,
        (false, false) => CapabilitySet::empty(),
    };
    bpf | other
}

/// What programs that are executed could get back; says how that went.
fn remove_from_bounding_set(ours: CapabilitySet, kept: CapabilitySet) -> &'static str {
    if !ours.contains(CapabilitySet::SETPCAP) {
        return "the bounding set as it was (that takes CAP_SETPCAP)";
    }
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    // The first that the kernel does not know ends them.
    let known = all.take_while(|one| capability_is_in_bounding_set(*one).is_ok());
    let others = known.filter(|one| !kept.contains(*one));
    match others.map(remove_capability_from_bounding_set).collect::<Result<Vec<()>, _>>() {
        Ok(_) => "no others in the bounding set",
        Err(_) => "the bounding set could not be emptied",
    }
}

fn names(set: CapabilitySet) -> String {
    let names: Vec<_> = COSTS.iter().filter(|cost| set.contains(cost.set)).collect();
    let names: Vec<_> = names.iter().map(|cost| cost.capability).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(ours: CapabilitySet) -> Vec<&'static str> {
        missing_from(ours).map(|cost| cost.capability).collect()
    }

    #[test]
    fn one_that_includes_another_is_enough() {
        assert_eq!(lacking(CapabilitySet::all()), Vec::<&str>::new());
        let admin = CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_OVERRIDE;
        assert_eq!(lacking(admin), ["CAP_SYSLOG", "CAP_SYS_PTRACE"]);
        assert_eq!(lacking(CapabilitySet::empty()).len(), COSTS.len());
    }

    #[test]
    fn whoever_enters_namespaces_keeps_what_finds_them() {
        let needs = Needs { bpf: true, namespaces: true, ..Needs::default() };
        let kept = needed(&needs);
        assert_eq!(lacking(kept), ["CAP_SYSLOG"]);
        assert_eq!(names(needed(&Needs::default())), "none");
    }
}
