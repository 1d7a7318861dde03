//! What a process does: its threads, its descriptors, its share of the CPUs.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use super::cpu::{Quota, Share};

/// Threads beyond this many are counted, not looked at: each costs three reads.
const THREADS: usize = 256;

/// Calls in which a thread waits for a connection, or for any descriptor to be ready.
const AWAITING: &[libc::c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_io_uring_enter,
];

/// One look at a process. What adds up does so since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Process id.
    pub pid: u32,
    /// When it began, in ticks since boot: tells it from a later one with the same id.
    pub started: u64,
    /// `R` if any thread runs or is ready to, else `D` if any waits uninterruptibly, else that of the first
    /// thread.
    pub state: char,
    /// Threads that wait in a call for connections or for any descriptor.
    pub awaiting: u64,
    /// All threads.
    pub threads: u64,
    /// How often its threads gave the CPU away.
    pub voluntary: u64,
    /// How often it was taken from them.
    pub involuntary: u64,
    /// How long they ran, nanoseconds (`schedstat`).
    pub ran_ns: Option<u64>,
    /// How long they were ready to run and waited for a CPU, nanoseconds.
    pub delayed_ns: Option<u64>,
    /// Open descriptors, and how many it may have (`RLIMIT_NOFILE`).
    pub files: Option<(u64, u64)>,
    /// How long its control group (v2), or one above it, was throttled, nanoseconds.
    pub throttled_ns: Option<u64>,
    /// How long some task of its control group waited for a CPU, nanoseconds.
    pub pressure_ns: Option<u64>,
    /// What that control group gets.
    pub quota: Option<Quota>,
}

impl Sample {
    /// Looks at a process; nothing when there is none, or when it may not be looked at.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let (first, started) = state_and_start(&read_to_string(folder.join("stat")).ok()?)?;
        let share = Share::of_process(&folder);
        let mut sample = Self {
            pid,
            started,
            state: first,
            files: files(&folder),
            throttled_ns: share.throttled_ns,
            pressure_ns: share.pressure_ns,
            quota: share.quota,
            ..Self::default()
        };
        for thread in read_dir(folder.join("task")).ok()?.flatten() {
            sample.threads += 1;
            if sample.threads <= THREADS as u64 {
                sample.add_thread(&thread.path());
            }
        }
        Some(sample)
    }

    /// Adds a thread; one that ends meanwhile adds nothing.
    fn add_thread(&mut self, folder: &Path) {
        let read = |name| read_to_string(folder.join(name)).unwrap_or_default();
        let status = read("status");
        match field(&status, "State:").and_then(|state| state.chars().next()) {
            Some('R') => self.state = 'R',
            Some('D') if self.state != 'R' => self.state = 'D',
            _ => {}
        }
        let count = |name| field(&status, name).and_then(|count| count.parse().ok()).unwrap_or(0);
        self.voluntary += count("voluntary_ctxt_switches:");
        self.involuntary += count("nonvoluntary_ctxt_switches:");
        if let Some([ran, delayed]) = run_times(folder) {
            self.ran_ns = Some(self.ran_ns.unwrap_or(0) + ran);
            self.delayed_ns = Some(self.delayed_ns.unwrap_or(0) + delayed);
        }
        self.awaiting += u64::from(is_awaiting(&read("syscall")));
    }
}

/// The threads of a process, by their numbers, and the state of each as `/proc` has it.
pub(crate) fn threads(pid: u32) -> impl Iterator<Item = (u32, char)> {
    let folder = read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    folder.filter_map(|thread| {
        let (state, _) = state_and_start(&read_to_string(thread.path().join("stat")).ok()?)?;
        Some((thread.file_name().to_str()?.parse().ok()?, state))
    })
}

/// How long a thread of a process has run since it began, nanoseconds. The kernel brings that of one that runs up to
/// date with each tick of its CPU, once a second where there are none (`sched_tick_remote()`).
pub(crate) fn ran_ns(pid: u32, thread: u32) -> Option<u64> {
    let [ran, _] = run_times(Path::new(&format!("/proc/{pid}/task/{thread}")))?;
    Some(ran)
}

/// How long a thread ran, and how long it was ready to and waited for a CPU, nanoseconds (`schedstat`).
fn run_times(folder: &Path) -> Option<[u64; 2]> {
    let schedstat = read_to_string(folder.join("schedstat")).ok()?;
    let mut times = schedstat.split_ascii_whitespace().map_while(|time| time.parse().ok());
    Some([times.next()?, times.next()?])
}

/// State and start of `/proc/PID/stat`; the name between the parentheses can be anything.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The 22nd field, the state being the third.
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// The value of a line of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// Whether `/proc/PID/syscall` shows a call that waits for connections.
fn is_awaiting(syscall: &str) -> bool {
    let number = syscall.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    number.is_some_and(|number| AWAITING.contains(&number))
}

fn files(folder: &Path) -> Option<(u64, u64)> {
    let open = read_dir(folder.join("fd")).ok()?.count() as u64;
    Some((open, file_limit(&read_to_string(folder.join("limits")).ok()?)?))
}

/// The soft limit, after which `accept()` fails.
fn file_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_ascii_whitespace().next()?;
    if soft == "unlimited" { Some(u64::MAX) } else { soft.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "7 (a) S (b) T 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(state_and_start(stat), Some(('T', 4711)));
        assert_eq!(state_and_start("7 (a) S 1"), None);
        assert_eq!(state_and_start(""), None);
    }

    #[test]
    fn only_calls_that_wait_for_descriptors_await() {
        let call = |number: libc::c_long| is_awaiting(&format!("{number} 0x3 0x7f 0x10"));
        assert!(call(libc::SYS_accept4) && call(libc::SYS_epoll_wait));
        assert!(!call(libc::SYS_futex) && !call(libc::SYS_read));
        assert!(!is_awaiting("running") && !is_awaiting(""));
    }

    #[test]
    fn the_soft_limit_counts() {
        let limits = "Max processes  1 2 processes\nMax open files            1024                 524288 files\n";
        assert_eq!(file_limit(limits), Some(1024));
        assert_eq!(file_limit("Max open files unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(file_limit(""), None);
    }

    #[test]
    fn this_process_runs() {
        let sample = Sample::read(std::process::id()).unwrap();
        assert_eq!((sample.pid, sample.state), (std::process::id(), 'R'));
        assert!(sample.threads >= 1 && sample.files.unwrap().0 > 0, "{sample:?}");
        assert_eq!(Sample::read(0), None);
    }
}
