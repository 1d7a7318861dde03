//! Why a process does not accept, or too slowly.

use queue_trace_common::Outcome;

use super::case::{Case, share};
use super::{Surroundings, Verdict};

/// A process that ran, waited for a CPU or was throttled for this share of the interval did little else. Below
/// half of it, something else held it up for longer.
const MOSTLY: f64 = 0.5;

/// Throttled for this share, a group is short of CPU time: its threads stand still for a tenth of it, in
/// pieces as long as its period, 100 ms unless set.
const THROTTLED: f64 = 0.1;

/// What holds an acceptor up; of several processes, that which comes first here explains most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// No descriptor left.
    Descriptors,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// Ended, and not yet collected by its parent.
    Zombie,
    /// Its control group has used its CPU time up.
    Throttled,
    /// Ready to run, and waiting for a CPU.
    NoCpu,
    /// Running, but not in `accept()`.
    Busy,
    /// Waiting uninterruptibly: for a disk, mostly.
    Disk,
    /// Waiting for descriptors, but not told of this one, or not asking for it.
    Elsewhere,
    /// Asleep in something other than waiting for connections, as the masters of workers always are.
    Blocked,
}

impl Cause {
    /// The name in every output.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
            Self::Descriptors => "out_of_descriptors",
            Self::Throttled => "throttled_by_cgroup",
            Self::NoCpu => "waiting_for_a_cpu",
            Self::Busy => "busy",
            Self::Disk => "uninterruptible",
            Self::Blocked => "blocked",
            Self::Elsewhere => "not_asking",
        }
    }

    /// What the process does, to follow "its process".
    pub(super) const fn story(self) -> &'static str {
        match self {
            Self::Stopped => "is stopped",
            Self::Zombie => "has ended",
            Self::Descriptors => "has no file descriptor left",
            Self::Throttled => "is throttled by its control group",
            Self::NoCpu => "waits for a CPU",
            Self::Busy => "is busy with something else",
            Self::Disk => "waits for a disk or a lock in the kernel",
            Self::Blocked => "is blocked in something else",
            Self::Elsewhere => "waits for other descriptors",
        }
    }
}

/// What holds the acceptors up, if that can be told, and the process that it was told by.
pub(super) fn cause<'a>(case: &Case<'a>) -> Option<(Cause, Option<&'a Surroundings>)> {
    let failed = case.of(Outcome::AcceptEmfile) + case.of(Outcome::AcceptEnfile) > 0;
    let told =
        case.acceptors.iter().filter_map(|process| Some((of(process, case.watched_ns)?, *process)));
    let first = told.min_by_key(|(cause, _)| *cause);
    match first {
        Some((cause, process)) if cause == Cause::Descriptors || !failed => {
            Some((cause, Some(process)))
        }
        _ if failed => Some((Cause::Descriptors, case.acceptors.first().copied())),
        _ => None,
    }
}

fn of(process: &Surroundings, watched_ns: u64) -> Option<Cause> {
    let mostly = |time: Option<u64>, limit| time.is_some_and(|ns| share(ns, watched_ns) >= limit);
    if process.files.is_some_and(|(open, limit)| open >= limit) {
        return Some(Cause::Descriptors);
    }
    match process.state {
        'T' | 't' => return Some(Cause::Stopped),
        'Z' | 'X' => return Some(Cause::Zombie),
        _ => {}
    }
    if mostly(process.throttled_ns, THROTTLED) {
        return Some(Cause::Throttled);
    }
    // The longest, and of equal ones the last: times of the scheduler begin a little before the interval and end a little
    // after it, so that two can be half of it.
    let times = [
        (Cause::Disk, process.blocked_ns),
        (Cause::Busy, process.ran_ns),
        (Cause::NoCpu, process.delayed_ns),
    ];
    let longest = times.into_iter().max_by_key(|(_, time)| *time);
    if let Some((cause, time)) = longest
        && mostly(time, MOSTLY)
    {
        Some(cause)
    } else if process.awaiting > 0 {
        Some(Cause::Elsewhere)
    } else if process.state == 'D' && process.blocked_ns.is_none() {
        Some(Cause::Disk)
    } else if process.state == 'R' && !slept(process, watched_ns) {
        None
    } else {
        Some(Cause::Blocked)
    }
}

/// Whether its threads mostly slept, by the scheduler's word: then it runs just at this moment.
fn slept(process: &Surroundings, watched_ns: u64) -> bool {
    let all_ns = watched_ns.saturating_mul(process.threads.max(1));
    process.slept_ns.is_some_and(|slept_ns| share(slept_ns, all_ns) >= MOSTLY)
}

/// Adds what the process did.
pub(super) fn describe(verdict: Verdict, process: &Surroundings) -> Verdict {
    let mut verdict = verdict
        .count("pid", process.pid)
        .words("state", process.state)
        .count("threads", process.threads)
        .count("threads_awaiting", process.awaiting);
    if let Some((open, limit)) = process.files {
        verdict = verdict.count("open_files", open).count("file_limit", limit);
    }
    let counts =
        [("voluntary_switches", process.voluntary), ("involuntary_switches", process.involuntary)];
    for (name, count) in counts {
        verdict = count.into_iter().fold(verdict, |verdict, count| verdict.count(name, count));
    }
    let times = [
        ("ran_ns", process.ran_ns),
        ("waited_for_cpu_ns", process.delayed_ns),
        ("uninterruptible_ns", process.blocked_ns),
        ("slept_ns", process.slept_ns),
        ("throttled_ns", process.throttled_ns),
        ("cpu_pressure_ns", process.pressure_ns),
    ];
    for (name, time) in times {
        verdict = time.into_iter().fold(verdict, |verdict, time| verdict.time(name, time));
    }
    verdict
}

/// What to do about it.
pub(super) fn remedy(cause: Cause, process: Option<&Surroundings>) -> Vec<String> {
    let pid = process.map_or_else(|| "PID".to_owned(), |process| process.pid.to_string());
    let step = match (cause, process) {
        (Cause::Stopped, _) => {
            format!("kill -CONT {pid}, unless somebody debugs it (TracerPid in /proc/{pid}/status)")
        }
        (Cause::Zombie, _) => format!("restart the service: process {pid} is dead"),
        (Cause::Descriptors, Some(Surroundings { files: Some((_, limit)), .. })) => {
            let more = (limit * 2).max(1024);
            format!(
                "prlimit --pid {pid} --nofile={more}:{more}, and LimitNOFILE={more} in its unit"
            )
        }
        (Cause::Descriptors, _) => {
            "raise LimitNOFILE (RLIMIT_NOFILE) of the service, or fs.file-max of the system"
                .to_owned()
        }
        (Cause::Throttled, Some(Surroundings { quota: Some(quota), .. })) => format!(
            "echo \"{} {}\" > {}/cpu.max",
            quota.quota_us * 2,
            quota.period_us,
            quota.folder
        ),
        (Cause::Throttled, _) => {
            "raise the CPU limit of its container or unit (CPUQuota=)".to_owned()
        }
        (Cause::NoCpu, _) => {
            format!(
                "renice -n -5 -p {pid}, or take other load off this machine (`pidstat -w`, `top`)"
            )
        }
        (Cause::Busy, _) => {
            format!("see what it computes: perf top -p {pid}; accept in a thread of its own")
        }
        (Cause::Disk | Cause::Blocked, _) => {
            format!(
                "see where it hangs: cat /proc/{pid}/task/*/stack, gdb -p {pid} -batch -ex 'thread apply all bt'"
            )
        }
        (Cause::Elsewhere, _) => format!(
            "see whether it still asks for the listener: strace -fp {pid} -e trace=%network,epoll_ctl,poll"
        ),
    };
    vec![step]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::Quota;

    const SECOND: u64 = 1_000_000_000;

    fn process() -> Surroundings {
        Surroundings { pid: 42, state: 'S', threads: 1, ..Surroundings::default() }
    }

    #[test]
    fn each_cause_is_told_from_what_nearly_is_one() {
        let told = |process: Surroundings| of(&process, SECOND).map(Cause::name);
        assert_eq!(told(Surroundings { state: 'T', ..process() }), Some("stopped"));
        assert_eq!(told(Surroundings { state: 'Z', ..process() }), Some("zombie"));
        let files = |open| Surroundings { files: Some((open, 64)), awaiting: 1, ..process() };
        assert_eq!(told(files(64)), Some("out_of_descriptors"));
        assert_eq!(told(files(63)), Some("not_asking"));
        let throttled = |ns| Surroundings { throttled_ns: Some(ns), ..process() };
        assert_eq!(told(throttled(SECOND / 10)), Some("throttled_by_cgroup"));
        assert_eq!(told(throttled(SECOND / 10 - 1)), Some("blocked"));
        let delayed = |ns| Surroundings { state: 'R', delayed_ns: Some(ns), ..process() };
        assert_eq!(told(delayed(SECOND / 2)), Some("waiting_for_a_cpu"));
        assert_eq!(told(delayed(SECOND / 2 - 1)), None);
        let ran = |ns| Surroundings { state: 'R', ran_ns: Some(ns), ..process() };
        assert_eq!(told(ran(SECOND / 2)), Some("busy"));
        let both = |more| Surroundings {
            delayed_ns: Some(SECOND / 2 + more),
            ..ran(SECOND / 2 + SECOND / 10)
        };
        assert_eq!(told(both(0)), Some("busy"));
        assert_eq!(told(both(SECOND / 10)), Some("waiting_for_a_cpu"));
        let ran_and_blocked =
            |ns| Surroundings { blocked_ns: Some(ns), ..ran(SECOND / 2 + SECOND / 10) };
        assert_eq!(told(ran_and_blocked(SECOND / 2)), Some("busy"));
        assert_eq!(told(ran_and_blocked(SECOND / 2 + SECOND / 5)), Some("uninterruptible"));
        let blocked = |ns| Surroundings { state: 'D', blocked_ns: ns, ..process() };
        assert_eq!(told(blocked(None)), Some("uninterruptible"));
        // The scheduler knows whether it was so all the time.
        assert_eq!(told(blocked(Some(SECOND / 2))), Some("uninterruptible"));
        assert_eq!(told(blocked(Some(SECOND / 2 - 1))), Some("blocked"));
        assert_eq!(told(process()), Some("blocked"));
    }

    #[test]
    fn the_remedy_has_the_value() {
        let quota =
            Quota { folder: "/sys/fs/cgroup/a".into(), quota_us: 10_000, period_us: 100_000 };
        let process = Surroundings { quota: Some(quota), files: Some((64, 64)), ..process() };
        let first = |cause| remedy(cause, Some(&process)).remove(0);
        assert_eq!(first(Cause::Throttled), "echo \"20000 100000\" > /sys/fs/cgroup/a/cpu.max");
        assert!(first(Cause::Descriptors).starts_with("prlimit --pid 42 --nofile=1024:1024"));
        assert!(first(Cause::Stopped).starts_with("kill -CONT 42"));
    }
}
