//! How the threads of some processes spend their time, by the scheduler's own word: two programs at tracepoints that
//! fire all the time, for commands that run a while and end.

use std::collections::{HashMap as Sums, HashSet};

use aya::maps::{HashMap, MapData, MapError};
use aya::programs::{ProgramError, RawTracePoint};
use queue_trace_common::{Doing, ThreadTimes};

use super::objects::Objects;
use crate::model::Scheduled;
use crate::procfs::threads;

/// The programs, named after their tracepoints.
const TRACEPOINTS: [&str; 2] = ["sched_wakeup", "sched_switch"];
/// The most processes that are watched.
pub(super) const MOST_PROCESSES: u32 = 1024;
/// The most of their threads: half a megabyte of kernel memory.
pub(super) const MOST_THREADS: u32 = 4096;
/// `BPF_NOEXIST`.
const NEW_ONLY: u64 = 1;

/// The account of watched processes, while its programs are attached.
pub struct Scheduler {
    watched: HashMap<MapData, u32, u8>,
    threads: HashMap<MapData, u32, ThreadTimes>,
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
        Ok(Self { watched, threads })
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

    /// How the watched processes spent their time until now, by their ids; nothing of one with a thread of which the
    /// scheduler has said nothing yet, so that it may have run or waited all the time.
    ///
    /// # Errors
    ///
    /// As [`Self::watch`].
    pub fn times(&self, now_ns: u64) -> Result<Sums<u32, Scheduled>, MapError> {
        let mut sums = Sums::<u32, Scheduled>::new();
        let mut unknown = HashSet::new();
        for entry in &self.threads {
            let (_, mut thread) = entry?;
            if thread.doing() == Doing::Unknown {
                unknown.insert(thread.tgid);
            }
            thread.change(thread.doing(), now_ns.max(thread.since_ns), Doing::Other);
            let sum = sums.entry(thread.tgid).or_default();
            sum.ran_ns += thread.ran_ns;
            sum.ready_ns += thread.ready_ns;
            sum.slept_ns += thread.slept_ns;
            sum.blocked_ns = sum.blocked_ns.max(thread.blocked_ns);
        }
        sums.retain(|tgid, _| !unknown.contains(tgid));
        Ok(sums)
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
