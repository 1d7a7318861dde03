//! Holds the functions that queue-trace watches, in guests that start it again and again: `cargo xtask test vm`.
//!
//! When the last program leaves a function, the kernel waits until no task can be within it any more
//! (`ftrace_shutdown()`, 100 ms and more, one function after the other), and whoever attaches next waits, too. A program
//! that does nothing and stays keeps that from happening.

#[path = "load/floor.rs"]
#[expect(dead_code, reason = "names are for the tables of the load generator")]
mod floor;

use anyhow::Result;

fn main() -> Result<()> {
    let _held = floor::attach(&floor::hooks()?)?;
    loop {
        std::thread::park();
    }
}
