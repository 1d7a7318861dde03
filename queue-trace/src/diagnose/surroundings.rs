//! What a process that should accept did meanwhile.

use crate::model::Scheduled;
use crate::procfs::{Quota, Sample};

/// A process that holds a listener, over the interval that was watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    /// Process id.
    pub pid: u32,
    /// Its state now, as `/proc/PID/stat` has it: `R` if any thread runs or is ready to, else `D` if any
    /// waits uninterruptibly, else that of its first thread.
    pub state: char,
    /// Threads that wait in `accept()`, or for any descriptor to be ready (`poll`, `epoll_wait`, `select`).
    pub awaiting: u64,
    /// All its threads.
    pub threads: u64,
    /// How often its threads gave the CPU away of their own will, in the interval.
    pub voluntary: Option<u64>,
    /// How often the CPU was taken from them.
    pub involuntary: Option<u64>,
    /// How long they ran, nanoseconds.
    pub ran_ns: Option<u64>,
    /// How long they were ready to run and waited for a CPU, nanoseconds.
    pub delayed_ns: Option<u64>,
    /// How long the thread waited uninterruptibly that did so longest, where the scheduler tells, nanoseconds.
    pub blocked_ns: Option<u64>,
    /// How long they slept, where the scheduler tells, nanoseconds.
    pub slept_ns: Option<u64>,
    /// Open descriptors now, and how many it may have (`RLIMIT_NOFILE`).
    pub files: Option<(u64, u64)>,
    /// How long its control group, or one above it, was throttled (`cpu.stat`), nanoseconds.
    pub throttled_ns: Option<u64>,
    /// How long some task of its control group waited for a CPU (`cpu.pressure`), nanoseconds.
    pub pressure_ns: Option<u64>,
    /// What that control group gets.
    pub quota: Option<Quota>,
}

impl Surroundings {
    /// The interval between two looks at the same process; what adds up stays unknown without a first one.
    #[must_use]
    pub fn between(before: Option<&Sample>, now: &Sample) -> Self {
        let before = before.filter(|before| before.started == now.started);
        let since =
            |field: fn(&Sample) -> Option<u64>| Some(field(now)?.saturating_sub(field(before?)?));
        Self {
            pid: now.pid,
            state: now.state,
            awaiting: now.awaiting,
            threads: now.threads,
            voluntary: since(|sample| Some(sample.voluntary)),
            involuntary: since(|sample| Some(sample.involuntary)),
            ran_ns: since(|sample| sample.ran_ns),
            delayed_ns: since(|sample| sample.delayed_ns),
            blocked_ns: None,
            slept_ns: None,
            files: now.files,
            throttled_ns: since(|sample| sample.throttled_ns),
            pressure_ns: since(|sample| sample.pressure_ns),
            quota: now.quota.clone(),
        }
    }

    /// The same with what the scheduler tells of the interval: exact, while `/proc` knows of a wait for a CPU only
    /// when it is over, and of sleep nothing but that there is some now.
    #[must_use]
    pub fn with(self, scheduled: Option<&Scheduled>) -> Self {
        let Some(told) = scheduled else { return self };
        Self {
            ran_ns: Some(told.ran_ns),
            delayed_ns: Some(told.ready_ns),
            slept_ns: Some(told.slept_ns),
            blocked_ns: Some(told.blocked_ns),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_adds_up_needs_two_looks_at_one_process() {
        let look = |started, voluntary| Sample { started, voluntary, ..Sample::default() };
        let between =
            |before: Option<Sample>| Surroundings::between(before.as_ref(), &look(7, 30)).voluntary;
        assert_eq!(between(Some(look(7, 10))), Some(20));
        assert_eq!(between(None), None);
        assert_eq!(between(Some(look(6, 10))), None, "another process with the same number");
    }

    #[test]
    fn what_the_scheduler_tells_stands_over_proc() {
        let by_proc =
            Surroundings { ran_ns: Some(1), delayed_ns: Some(2), ..Surroundings::default() };
        assert_eq!(by_proc.clone().with(None), by_proc);
        let told = Scheduled { ran_ns: 3, ready_ns: 4, slept_ns: 5, blocked_ns: 6 };
        let Surroundings { ran_ns, delayed_ns, slept_ns, blocked_ns, .. } =
            by_proc.with(Some(&told));
        assert_eq!([ran_ns, delayed_ns, slept_ns, blocked_ns], [3, 4, 5, 6].map(Some));
    }
}
