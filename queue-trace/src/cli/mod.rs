//! The command line: arguments, signals, exit codes.

#[cfg(feature = "listeners")]
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

pub mod attach;
pub mod capture;
pub mod doctor;
mod ending;
#[cfg(feature = "record")]
pub mod export;
#[cfg(feature = "listeners")]
pub mod listeners;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "record")]
pub mod replay;
#[cfg(feature = "report")]
pub mod report;
#[cfg(feature = "serve")]
pub mod serve;
mod status;
#[cfg(feature = "top")]
pub mod top;
pub mod trace;
mod verdicts;
pub mod what_if;

/// Runs a command that waits for several things at once, on this thread.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(command)
}

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
    #[cfg(feature = "record")]
    /// Events and counters into a file, to be looked at later
    Record(record::RecordArgs),
    #[cfg(feature = "record")]
    /// What was recorded, as `trace` would have shown it
    Replay(replay::ReplayArgs),
    #[cfg(feature = "record")]
    /// What was recorded, as JSON lines, CSV or Parquet
    Export(export::ExportArgs),
    /// What is wrong with the listeners, what this kernel offers, and whether the books balance
    Doctor(doctor::DoctorArgs),
    #[cfg(feature = "report")]
    /// What happened, in one HTML file with charts
    Report(report::ReportArgs),
    /// Which backlog would have been enough
    WhatIf(what_if::WhatIfArgs),
    #[cfg(feature = "listeners")]
    /// One table of all TCP listeners, now: queues, limits, owners (works without BPF)
    Listeners(listeners::ListenersArgs),
    #[cfg(feature = "top")]
    /// Listeners sorted by trouble, live in the terminal; Enter opens one
    Top(top::TopArgs),
    #[cfg(feature = "serve")]
    /// The daemon: counts all the time, keeps each listener's history, logs refusals
    Serve(serve::ServeArgs),
}

/// All commands and their arguments, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
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
        #[cfg(feature = "record")]
        Command::Record(args) => record::run(&args),
        #[cfg(feature = "record")]
        Command::Replay(args) => replay::run(&args),
        #[cfg(feature = "record")]
        Command::Export(args) => export::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        #[cfg(feature = "report")]
        Command::Report(args) => report::run(&args),
        Command::WhatIf(args) => what_if::run(&args),
        #[cfg(feature = "listeners")]
        Command::Listeners(args) => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            listeners::run(&args, &mut out).and_then(|()| Ok(out.flush()?))
        }
        #[cfg(feature = "top")]
        Command::Top(args) => top::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
    };
    status::of(result)
}
