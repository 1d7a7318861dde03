//! Holds the functions that queue-trace watches, in guests that start it again and again: `cargo xtask test vm`.
//!
//! When the last program leaves a function, the kernel waits until no task can be within it any more
//! (`ftrace_shutdown()`, 100 ms and more, one function after the other), and whoever attaches next waits, too. A program
//! that does nothing and stays keeps that from happening.
//!
//! And it holds the scheduler's code for control groups that may have no more than so much of a processor: patched in with the
//! first and out with the last of them, where QEMU before 8.1 may have the guest die of it (`astray` in `test/guests.rs`).

#[path = "load/floor.rs"]
#[expect(dead_code, reason = "names are for the tables of the load generator")]
mod floor;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let _held = floor::attach(&floor::hooks()?)?;
    limit_a_group().context("no control group can be limited")?;
    loop {
        std::thread::park();
    }
}

/// A control group without processes, whose limit stays.
fn limit_a_group() -> std::io::Result<()> {
    let root = Path::new("/sys/fs/cgroup");
    fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
    let folder = root.join("queue-trace-held");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("cpu.max"), "50000 100000")
}
