//! The books as people read them.

use std::io::{self, Write};

use crate::model::{Balance, Line};

/// Writes the books of the namespaces in which something moved.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, books: &[Balance]) -> io::Result<()> {
    for balance in books {
        if balance.lines.is_empty() {
            writeln!(
                out,
                "\nnamespace {}: gone, and its counters with it: its books cannot be compared",
                balance.netns
            )?;
        } else if balance.lines.iter().any(moved) {
            write_one(out, balance)?;
        }
    }
    Ok(())
}

fn moved(line: &Line) -> bool {
    line.kernel != 0 || line.ours != 0
}

fn write_one(out: &mut impl Write, balance: &Balance) -> io::Result<()> {
    let verdict = if balance.even() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
    writeln!(out, "\nnamespace {}: {verdict}", balance.netns)?;
    for line in balance.lines.iter().filter(|line| moved(line)) {
        writeln!(
            out,
            "  {:<26} kernel {:>10}  listeners {:>10}  difference {}",
            line.counter,
            line.kernel,
            line.ours,
            line.difference()
        )?;
    }
    if !balance.even() {
        writeln!(
            out,
            "  Known causes: BPF programs that make SYN cookies themselves, SMC and DCCP sockets \
             raise these counters without a TCP listener."
        )?;
    }
    Ok(())
}
