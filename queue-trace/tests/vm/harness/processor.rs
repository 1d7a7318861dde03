//! On which processor something runs.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps a thread, or the calling one, on one processor, and with it what it starts from now on.
pub(crate) fn keep_on(number: usize, thread: Option<Pid>) {
    let mut processors = CpuSet::new();
    processors.set(number);
    sched_setaffinity(thread, &processors).expect("there is such a processor");
}
