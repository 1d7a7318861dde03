//! `cargo xtask bench`: what watching costs, in instructions, beside doing nothing and beside others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::setup;
use crate::setup::kernels;
use sample::{Scenario, Tracer};
use table::Figures;

mod baseline;
mod entering;
mod guest;
mod sample;
mod table;

/// Measures what queue-trace costs the kernel, in instructions, beside its peers
///
/// Boots each kernel in an emulator that counts instructions, and runs the same load alone and with
/// each watcher attached. xtask/cost.md says how to read the tables.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Kernels to measure instead of all; repeatable
    #[arg(long, value_parser = kernels::parse)]
    kernel: Vec<String>,
    /// One round instead of three
    #[arg(long)]
    quick: bool,
    /// Measures these watchers only; repeatable
    #[arg(long, value_name = "WATCHER", value_parser = Tracer::of_key)]
    only: Vec<Tracer>,
    /// Measures counting's connections to so many listeners in turn, and nothing else
    #[arg(long, value_name = "COUNT,...", value_delimiter = ',', conflicts_with_all = ["check", "bless", "only"])]
    listeners: Vec<u32>,
    /// The same with so many processors, of which one has the load
    #[arg(long, value_name = "COUNT,...", value_delimiter = ',', conflicts_with_all = ["check", "bless", "only"])]
    cpus: Vec<u8>,
    /// Writes every sample into this file too, one JSON object a kernel and line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fails if counting's programs take 3 % more for a connection than is stored; measures nothing else
    #[arg(long)]
    check: bool,
    /// Stores what they take as the figure for --check; measures nothing else
    #[arg(long, conflicts_with = "check")]
    bless: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let kernels = match arguments.kernel.as_slice() {
        [] => kernels::SERIES.iter().map(|series| series.name.to_owned()).collect(),
        chosen => chosen.to_vec(),
    };
    // The figure that is stored and checked is a connection's, and the same in each round.
    let figure_only = arguments.check || arguments.bless;
    let tracers = match arguments.only.as_slice() {
        _ if figure_only => vec![Tracer::Counting],
        [] => Tracer::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    let (rounds, loads) = match arguments {
        _ if figure_only => (1, &[Scenario::Connection][..]),
        Arguments { quick: true, .. } => (1, &Scenario::ALL[..]),
        _ => (3, &Scenario::ALL[..]),
    };
    setup::for_build()?;
    if tracers.iter().any(|tracer| tracer.is_peer()) {
        setup::for_bench()?;
    }
    let programs = guest::Programs::build()?;
    let by_listeners = arguments.listeners.iter().map(|count| Size { listeners: *count, cpus: 1 });
    let by_cpus = arguments.cpus.iter().map(|count| Size { listeners: 1, cpus: *count });
    let sizes: Vec<_> = by_listeners.chain(by_cpus).collect();
    if !sizes.is_empty() {
        growth(&kernels, &programs, &sizes)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut measured = Vec::new();
    for kernel in &kernels {
        setup::for_vm(kernel, true)?;
        let figures = guest::measure(kernel, &programs, rounds, &tracers, loads, Size::LEAST)
            .with_context(|| format!("cannot measure on Linux {kernel}"))?;
        table::print(&figures)?;
        measured.push(figures);
    }
    if let Some(file) = &arguments.json {
        let lines = measured.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        std::fs::write(file, lines.join("\n") + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if arguments.bless {
        baseline::store(&measured)?;
    }
    let good = !arguments.check || baseline::check(&measured)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How large the machine is.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// How many listeners clients connect to in turn.
    listeners: u32,
    cpus: u8,
}

impl Size {
    const LEAST: Self = Self { listeners: 1, cpus: 1 };
}

/// Whether a connection costs more where there is more of everything.
fn growth(kernels: &[String], programs: &guest::Programs, sizes: &[Size]) -> Result<()> {
    let (tracers, loads) = ([Tracer::Counting], [Scenario::Connection]);
    for kernel in kernels {
        setup::for_vm(kernel, true)?;
        let measure = |size: &Size| {
            let figures = guest::measure(kernel, programs, 1, &tracers, &loads, *size)?;
            Ok((*size, figures))
        };
        let rows = sizes.iter().map(measure).collect::<Result<Vec<_>>>()?;
        table::print_growth(&rows)?;
    }
    Ok(())
}
