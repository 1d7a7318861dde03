//! `queue-trace export`: a recording as JSON lines, CSV or Parquet.

use std::fs::File;
#[cfg(feature = "parquet")]
use std::io::IsTerminal;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;

use super::replay::told;
use crate::output::clock::Clock;
use crate::output::table::{self, Column, Table};
use crate::output::{json, rows};
use crate::source::Recording;

/// Arguments of `queue-trace export`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  queue-trace export incident.qtrace --format csv > events.csv
  queue-trace export incident.qtrace --format parquet --what history -o history.parquet
  duckdb -c \"select reason, count(*) from 'events.parquet' group by 1\"

Times are UTC. Columns of events are called as the fields of `trace --format json`.")]
pub struct ExportArgs {
    /// What `queue-trace record` wrote
    pub file: PathBuf,
    /// The kind of file to make
    #[arg(long, value_enum)]
    pub format: Format,
    /// What to put into it
    #[arg(long, value_enum, default_value_t)]
    pub what: What,
    /// The file to make, instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The kind of file to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a line of names.
    Csv,
    #[cfg(feature = "parquet")]
    /// Apache Parquet.
    Parquet,
}

/// What to put into it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// One row for each event.
    #[default]
    Events,
    /// One row for each listener, with its counters at the end.
    Listeners,
    /// One row for each listener and second, with its counters then.
    History,
}

/// Exports.
///
/// # Errors
///
/// One line for the user; also when the recording is damaged, after all before the damage was exported.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    let mut recording = Recording::open(&args.file)?;
    let mut out = output(args)?;
    let header = recording.header();
    let mut clock = Clock::new(header.start_ns, header.wall, false);
    let written = match (args.what, args.format) {
        // The very lines of `trace`.
        (What::Events, Format::Jsonl) => json_events(&mut recording, &mut clock, &mut out),
        (What::Events, _) => {
            events(&mut recording, &clock, table(args, out, table::event_columns())?)
        }
        (What::Listeners, _) => {
            let table = table(args, out, table::listener_columns())?;
            listeners(&mut recording, &clock, table, false)
        }
        (What::History, _) => {
            let table = table(args, out, table::listener_columns())?;
            listeners(&mut recording, &clock, table, true)
        }
    };
    written.context("cannot export")?;
    told(&recording)
}

type Out = Box<dyn Write + Send>;

fn output(args: &ExportArgs) -> anyhow::Result<Out> {
    match &args.output {
        // Not over another file, least of all over the recording.
        Some(path) => match File::create_new(path) {
            Ok(file) => Ok(Box::new(BufWriter::new(file))),
            Err(error) => Err(error).context(format!("cannot make {}", path.display())),
        },
        None => {
            #[cfg(feature = "parquet")]
            anyhow::ensure!(
                args.format != Format::Parquet || !io::stdout().is_terminal(),
                "Parquet is not for a terminal: give --output FILE"
            );
            Ok(Box::new(BufWriter::new(io::stdout())))
        }
    }
}

fn table(args: &ExportArgs, out: Out, columns: Vec<Column>) -> io::Result<Box<dyn Table>> {
    Ok(match args.format {
        Format::Jsonl => Box::new(rows::JsonLines::new(out, columns)),
        Format::Csv => Box::new(rows::Csv::new(out, &columns)?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(crate::output::parquet::Parquet::new(out, &columns)?),
    })
}

fn json_events(recording: &mut Recording, clock: &mut Clock, out: &mut Out) -> anyhow::Result<()> {
    let mut failed = None;
    let mut line = Vec::new();
    let mut more = true;
    while more && failed.is_none() {
        more = recording.advance(|listener, event| {
            json::write(&mut line, clock, listener, event);
            failed = out.write_all(&line).err();
            line.clear();
            failed.is_none()
        })?;
    }
    failed.map_or(Ok(()), Err)?;
    Ok(out.flush()?)
}

fn events(
    recording: &mut Recording,
    clock: &Clock,
    mut table: Box<dyn Table>,
) -> anyhow::Result<()> {
    let mut failed = None;
    let mut more = true;
    while more && failed.is_none() {
        more = recording.advance(|listener, event| {
            failed = table.row(table::event_row(clock, listener, event)).err();
            failed.is_none()
        })?;
    }
    failed.map_or(Ok(()), Err)?;
    Ok(table.end()?)
}

/// The listeners at each snapshot, or at the last one only.
fn listeners(
    recording: &mut Recording,
    clock: &Clock,
    mut table: Box<dyn Table>,
    each: bool,
) -> anyhow::Result<()> {
    while recording.advance(|_, _| true)? {
        if each {
            recording.counted().try_for_each(|(listener, totals)| {
                table.row(table::listener_row(clock, recording.time_ns(), listener, totals))
            })?;
        }
    }
    if !each {
        recording.counted().try_for_each(|(listener, totals)| {
            table.row(table::listener_row(clock, recording.time_ns(), listener, totals))
        })?;
    }
    Ok(table.end()?)
}
