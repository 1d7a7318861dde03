//! What our programs cost, which the kernel measures if it is told to (`kernel.bpf_stats_enabled`).

use super::attach::Attached;
use crate::model::ProgramCost;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

impl Attached {
    /// How long and how often each program has run while the kernel measured it; nothing while it does not, for
    /// asking costs calls of which nothing comes.
    #[must_use]
    pub fn costs(&self) -> Vec<ProgramCost> {
        if std::fs::read_to_string(SWITCH).is_ok_and(|switch| switch.trim() == "0") {
            return Vec::new();
        }
        let cost = |(name, program): (&str, &aya::programs::Program)| {
            let info = program.info().ok()?;
            Some(ProgramCost {
                program: name.to_owned(),
                run_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
                runs: info.run_count(),
            })
        };
        self.objects.programs().filter_map(cost).filter(|cost| cost.runs > 0).collect()
    }
}
