//! Layouts that the kernel side and the user side of queue-trace share.
//!
//! Everything that crosses the border is plain `repr(C)` data: fixed-width integers and arrays of
//! them, no padding that the compiler chooses, sizes asserted. Times are nanoseconds of
//! `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`), addresses are in network byte order, ports in host
//! order.
#![no_std]

mod config;
mod histogram;
mod listener;
mod outcome;
mod record;
mod thread;

pub use config::{
    CAST, CONTROL, Config, MARK, MAX_PORTS, MEMBER, MISSING, Offsets, PASS_BYTES, PASSES, THIS_CPU,
    group, place,
};
pub use histogram::{BUCKETS, DIGITS, Histogram, below_ns, bucket, bucket_by};
pub use listener::{
    CLOSED_KEY, Control, Counters, Fault, FullTime, LISTENER_STREAMS, ListenerInfo, ListenerRef,
    NOT_SEEN, Tally, Troubles, WorkerInfo,
};
pub use outcome::{Event, Outcome};
pub use record::{Ends, Record, UNLIMITED, WAKE_NS, allowance, ring_records};
pub use thread::{Doing, ThreadTimes};

/// Length of a task's name in the kernel, with its terminating zero (`TASK_COMM_LEN`).
pub const COMM_LENGTH: usize = 16;
