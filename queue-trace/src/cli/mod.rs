//! The command line: arguments, signals, exit codes.

#[cfg(feature = "listeners")]
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod attach;
pub mod doctor;
#[cfg(feature = "listeners")]
pub mod listeners;
mod status;
pub mod trace;

/// Which TCP listener refuses or delays connections, why, whom it hurts and what to change.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Queue events as they happen, and a summary for each listener at the end
    Trace(trace::TraceArgs),
    /// What this kernel offers, and whether the books balance
    Doctor(doctor::DoctorArgs),
    #[cfg(feature = "listeners")]
    /// One table of all TCP listeners, now: queues, limits, owners (works without BPF)
    Listeners(listeners::ListenersArgs),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return status::usage(&error),
    };
    let result = match arguments.command {
        Command::Trace(args) => trace::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        #[cfg(feature = "listeners")]
        Command::Listeners(args) => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            listeners::run(&args, &mut out).and_then(|()| Ok(out.flush()?))
        }
    };
    status::of(result)
}
