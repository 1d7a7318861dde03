//! How the threads of some processes spend their time, by the scheduler's own word: two programs at tracepoints that
//! fire all the time, for commands that run a while and end.

use std::collections::{HashMap as Table, HashSet};
use std::time::Duration;

use aya::maps::{HashMap, MapData, MapError};
use aya::programs::{ProgramError, RawTracePoint};
use queue_trace_common::{Doing, ThreadTimes};

use super::objects::Objects;
use crate::model::Scheduled;
use crate::procfs::{ran_ns, threads};

/// The programs, named after their tracepoints.
const TRACEPOINTS: [&str; 2] = ["sched_wakeup", "sched_switch"];
/// The most processes that are watched.
pub(super) const MOST_PROCESSES: u32 = 1024;
/// The most of their threads: half a megabyte of kernel memory.
pub(super) const MOST_THREADS: u32 = 4096;
/// `BPF_NOEXIST`.
const NEW_ONLY: u64 = 1;
/// Within so long the run time of a thread that runs is brought up to date on any CPU.
const UP_TO_DATE: Duration = Duration::from_secs(1);

/// The account of watched processes, while its programs are attached.
pub struct Scheduler {
    watched: HashMap<MapData, u32, u8>,
    threads: HashMap<MapData, u32, ThreadTimes>,
    /// How long those had run that ran or were ready to when the watch began.
    had_run_ns: Table<u32, u64>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The kernel's types do not tell where to look.
    #[error("this kernel's BTF has no task_struct.pid or state")]
    Types,
    /// As if the kernel had refused a program (tests of what is then reported).
    #[error("{0} is left out")]
    LeftOut(&'static str),
    /// It refuses a program.
    #[error("cannot attach to the scheduler's tracepoints: {0}")]
    Program(#[from] ProgramError),
    /// It refuses a map.
    #[error("cannot use the scheduler's maps: {0}")]
    Map(#[from] MapError),
}

impl Scheduler {
    /// Attaches the programs; they stay attached as long as they are loaded.
    pub(super) fn attach(
        objects: &mut Objects,
        without: &[String],
    ) -> Result<Self, SchedulerError> {
        let left_out = |tracepoint: &&&str| without.iter().any(|name| name == **tracepoint);
        if let Some(tracepoint) = TRACEPOINTS.iter().find(left_out) {
            return Err(SchedulerError::LeftOut(tracepoint));
        }
        let watched = HashMap::try_from(objects.take_map("WATCHED")?)?;
        let threads = HashMap::try_from(objects.take_map("THREADS")?)?;
        for tracepoint in TRACEPOINTS {
            let program: &mut RawTracePoint = objects.runnable(tracepoint)?;
            program.load()?;
            program.attach(tracepoint)?;
        }
        Ok(Self { watched, threads, had_run_ns: Table::new() })
    }

    /// Watches these processes from now on, with all their threads, as many as there is room for.
    ///
    /// # Errors
    ///
    /// When the kernel refuses an access, which it has no reason to.
    pub fn watch(
        &mut self,
        processes: impl IntoIterator<Item = u32>,
        now_ns: impl Fn() -> u64,
    ) -> Result<(), MapError> {
        let mut room = MOST_THREADS as usize;
        for tgid in processes.into_iter().take(MOST_PROCESSES as usize) {
            let threads: Vec<_> = threads(tgid).collect();
            let Some(rest) = room.checked_sub(threads.len()) else { continue };
            room = rest;
            self.watched.insert(tgid, 1, 0)?;
            for (thread, state) in threads {
                if doing(state) == Doing::Unknown {
                    self.had_run_ns.extend(ran_ns(tgid, thread).map(|ns| (thread, ns)));
                }
                let times = ThreadTimes {
                    tgid,
                    doing: doing(state) as u32,
                    since_ns: now_ns(),
                    ..ThreadTimes::default()
                };
                match self.threads.insert(thread, times, NEW_ONLY) {
                    // The scheduler knows better by now.
                    Err(MapError::SyscallError(error))
                        if error.io_error.kind() == std::io::ErrorKind::AlreadyExists => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// How the watched processes spent their time until now, by their ids; nothing of one with a thread that did not
    /// change what it does, and of which nothing else tells whether it ran or waited.
    ///
    /// # Errors
    ///
    /// As [`Self::watch`].
    pub fn times(&self, now_ns: u64) -> Result<Table<u32, Scheduled>, MapError> {
        let mut sums = Table::<u32, Scheduled>::new();
        let mut unknown = HashSet::new();
        for entry in &self.threads {
            let (id, mut thread) = entry?;
            let did = self.did(id, &thread, now_ns);
            if did == Doing::Unknown {
                unknown.insert(thread.tgid);
            }
            thread.change(did, now_ns.max(thread.since_ns), Doing::Other);
            let sum = sums.entry(thread.tgid).or_default();
            sum.ran_ns += thread.ran_ns;
            sum.ready_ns += thread.ready_ns;
            sum.slept_ns += thread.slept_ns;
            sum.blocked_ns = sum.blocked_ns.max(thread.blocked_ns);
        }
        sums.retain(|tgid, _| !unknown.contains(tgid));
        Ok(sums)
    }

    /// What a thread has done until now. If it was ready or running and was never switched since the watch began, its
    /// run time tells which.
    fn did(&self, id: u32, thread: &ThreadTimes, now_ns: u64) -> Doing {
        let still = u128::from(now_ns.saturating_sub(thread.since_ns));
        if thread.doing() != Doing::Unknown || still <= UP_TO_DATE.as_nanos() {
            return thread.doing();
        }
        match (self.had_run_ns.get(&id), ran_ns(thread.tgid, id)) {
            (Some(before), Some(now)) if now > *before => Doing::Running,
            (Some(_), Some(_)) => Doing::Ready,
            _ => Doing::Unknown,
        }
    }
}

/// What a thread does in a state of `/proc`.
const fn doing(state: char) -> Doing {
    match state {
        'R' => Doing::Unknown,
        'S' => Doing::Sleeping,
        'D' => Doing::Blocked,
        _ => Doing::Other,
    }
}
