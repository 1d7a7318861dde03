//! One line for each listener, at an interval: how its queues fared.

use std::io::{self, Write};

use super::clock::Clock;
use super::pieces;
use super::units::{Time, Within};
use crate::source::Status;

/// Writes the lines; `now_ns` is the time on the monotonic clock.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(
    out: &mut impl Write,
    clock: &mut Clock,
    now_ns: u64,
    all: &[Status],
) -> io::Result<()> {
    for status in all {
        let mut time = Vec::new();
        clock.show(&mut time, now_ns);
        pieces::right(&mut time, 0, 12);
        out.write_all(&time)?;
        write!(
            out,
            "  status             {:<22} accept queue {} of {}, at most {}, full for {}; SYN queue at \
             most {}, full for {}",
            status.listener.name(),
            status.accept.0,
            status.listener.limit,
            status.accept.1,
            Time(status.accept_full_ns),
            status.syn_peak,
            Time(status.syn_full_ns),
        )?;
        if status.waits.count() > 0 {
            write!(out, "; waits of accepted ones p99 {}", Within(&status.waits, 0.99))?;
        }
        match status.oldest_ns {
            Some(since) => {
                writeln!(out, "; the first waits for {}", Time(now_ns.saturating_sub(since)))?;
            }
            None => writeln!(out)?,
        }
    }
    Ok(())
}
