//! What the scheduler did with a process.

/// How the threads of a process spent an interval, by the scheduler's own word; all together, where nothing else is
/// said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// How long they ran, nanoseconds.
    pub ran_ns: u64,
    /// How long they were ready to run, and waited for a CPU.
    pub ready_ns: u64,
    /// How long they slept, until something happened or a signal came.
    pub slept_ns: u64,
    /// How long the thread waited uninterruptibly that did so longest: for a disk, mostly, or a lock in the kernel.
    /// Many that do so for a moment each, as threads for input and output do, hold nobody up.
    pub blocked_ns: u64,
}
