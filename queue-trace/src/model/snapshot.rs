//! Everything that is known at one moment. Each output shows a part of it, wherever it came from.

use queue_trace_common::{Fault, Outcome, WorkerInfo};

use super::event::text;
use super::{Balance, Listener, Process, Totals};

/// Everything that was counted up to one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When, nanoseconds of the monotonic clock.
    pub time_ns: u64,
    /// By which means: `fentry`, `kprobe` or `poll`.
    pub tier: &'static str,
    /// Each listener at which something happened, and what.
    pub listeners: Vec<(Listener, Totals)>,
    /// Who accepted, where that was counted; by listener, and those first that accepted most.
    pub workers: Vec<Worker>,
    /// The network namespaces that were in sight when owners were last looked for.
    pub namespaces: Vec<NamespaceName>,
    /// Records that were streamed but found no room, by outcome.
    pub shed: Vec<(Outcome, u64)>,
    /// Records that were left out because there were many of their kind and the reader did not keep up, by
    /// outcome.
    pub thinned: Vec<(Outcome, u64)>,
    /// Outcomes that the kernel's own counters contradict, where they are compared.
    pub contradicted: Vec<(Outcome, u64)>,
    /// Troubles of the kernel side, those that happened.
    pub faults: Vec<(Fault, u64)>,
    /// Calls of our programs that the kernel skipped, as far as it counts them.
    pub missed: u64,
    /// What our programs cost, where the kernel measures it.
    pub programs: Vec<ProgramCost>,
    /// The books of each namespace; none where we count nothing ourselves (tier `poll`).
    pub books: Vec<Balance>,
    /// By how much the kernel raised its own counters in each namespace, where there are no books.
    pub counters: Vec<NamespaceCounters>,
    /// How many closed listeners are listed together with others: at the same address, or as
    /// [`Listener::OTHERS`].
    pub folded: u64,
}

/// The kernel's own counters of one namespace since we began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceCounters {
    /// Inode of the namespace.
    pub netns: u32,
    /// The counters of which the books are made, by the kernel's names.
    pub counters: Vec<(&'static str, u64)>,
}

/// A process that accepts connections of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Worker {
    /// Number of the listener.
    pub listener: u32,
    /// Process id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// How many connections it accepted.
    pub accepts: u64,
}

impl Snapshot {
    /// The number of a network namespace and, behind it in brackets, what users know it by.
    #[must_use]
    pub fn namespace(&self, inode: u32) -> String {
        match self.namespace_name(inode).and_then(NamespaceName::label) {
            Some(label) => format!("{inode} ({label})"),
            None => inode.to_string(),
        }
    }

    /// What users know a network namespace by.
    #[must_use]
    pub fn namespace_name(&self, inode: u32) -> Option<&NamespaceName> {
        self.namespaces.iter().find(|namespace| namespace.inode == inode)
    }
}

impl Worker {
    /// The worker of a listener that the kernel side describes.
    #[must_use]
    pub fn new(listener: u32, info: &WorkerInfo, accepts: u64) -> Self {
        Self { listener, pid: info.pid, comm: text(&info.comm).into_owned(), accepts }
    }
}

/// What users know a network namespace by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceName {
    /// Its inode.
    pub inode: u32,
    /// Its name, as `ip netns` shows it.
    pub name: Option<String>,
    /// Whether we are in it.
    pub own: bool,
    /// A process in it.
    pub resident: Option<Process>,
}

impl NamespaceName {
    /// Its name or, failing that, whether it is our own or who lives there.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        let own = || self.own.then(|| "this one".to_owned());
        let lives = |process: &Process| format!("of {} {}", process.comm, process.pid);
        self.name.clone().or_else(own).or_else(|| self.resident.as_ref().map(lives))
    }
}

/// What one of our programs cost so far (`kernel.bpf_stats_enabled`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramCost {
    /// Name of the program.
    pub program: String,
    /// How long it ran altogether, nanoseconds.
    pub run_ns: u64,
    /// How often.
    pub runs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_told_by_number_and_by_what_is_known_of_it() {
        let resident = Some(Process { pid: 7, comm: "nginx".into(), ..Process::default() });
        let known = |inode| NamespaceName { inode, ..NamespaceName::default() };
        let namespaces = vec![
            NamespaceName { name: Some("blue".into()), own: true, ..known(1) },
            NamespaceName { own: true, resident: resident.clone(), ..known(2) },
            NamespaceName { resident, ..known(3) },
            known(4),
        ];
        let snapshot = Snapshot { namespaces, ..Snapshot::default() };
        let told: Vec<_> = (1..=5).map(|inode| snapshot.namespace(inode)).collect();
        assert_eq!(told, ["1 (blue)", "2 (this one)", "3 (of nginx 7)", "4", "5"]);
    }
}
