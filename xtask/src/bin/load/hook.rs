//! What an empty program takes: at a function that nobody but a loop of ours calls.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::slice::from_ref;

use anyhow::{Context, Result};

use crate::floor::{self, Hook};
use crate::sample::Sample;
use crate::{clock, pause};

/// Runs with each `accept()`, also with one on what is no socket.
const FUNCTION: &str = "__sys_accept4";
/// Calls of which the shortest counts: an interrupt comes into some.
const CALLS: usize = 1_000;
/// Until the kernel has let go of what was detached; milliseconds.
const SETTLED: u64 = 500;

/// Instructions of an empty program at the entry, at the return, and of one at each.
pub(crate) fn measure() -> Result<Sample> {
    let file = File::open("/dev/null").context("/dev/null")?;
    let alone = call(&file);
    let added = |hooks: &[Hook]| -> Result<u64> {
        let attached = floor::attach(hooks)?;
        pause(SETTLED);
        let with = call(&file);
        drop(attached);
        pause(SETTLED);
        Ok(with.saturating_sub(alone))
    };
    let (entry, exit) = (Hook::entry(FUNCTION), Hook::exit(FUNCTION));
    Ok(Sample::Hook {
        entry: added(from_ref(&entry))?,
        exit: added(from_ref(&exit))?,
        both: added(&[entry, exit])?,
    })
}

/// Instructions of one call.
fn call(file: &File) -> u64 {
    let once = |_| {
        let start = clock::now();
        // SAFETY: no address is asked for.
        unsafe { libc::accept(file.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) };
        clock::now() - start
    };
    (0..CALLS).map(once).min().unwrap_or_default()
}
