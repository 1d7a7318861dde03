//! `cargo xtask test`: unit tests, fuzz targets and the package's tests here, then the VM tests on every kernel.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::error::ErrorKind;

use crate::setup::{self, chromium, kernels, prometheus, python};
use crate::{build, fuzz};

mod guests;
mod package;
mod processors;
mod settings;
mod tally;

use settings::Setting;
use tally::Tally;

/// The parts, in the order in which they run.
const SUITES: [&str; 4] = ["unit", "fuzz", "package", "vm"];
/// So many seconds each fuzz target runs: enough to find what a change broke; `cargo xtask fuzz` takes longer.
const FUZZ_SECONDS: u32 = 5;

/// Runs every test; sets up first
///
/// What is chosen of the VM tests runs whole; without a choice, with one processor and on some kernels less does.
///
/// Examples:
///   cargo xtask test                        everything
///   cargo xtask test unit btf               unit tests with `btf` in their name
///   cargo xtask test vm --kernel 6.12       the VM tests on one kernel
///   cargo xtask test vm --attach kprobe     the VM tests by kprobes
///   cargo xtask test fuzz                   each fuzz target for five seconds
///   cargo xtask test package                the Debian package
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// `unit`, `fuzz`, `package` or `vm` for that part only; then a part of the names of the tests to run
    #[arg(value_name = "unit|fuzz|package|vm] [FILTER", num_args = 0..=2)]
    words: Vec<String>,
    /// Kernels for the VM tests instead of all; repeatable
    #[arg(long, value_parser = kernels::parse)]
    kernel: Vec<String>,
    /// How queue-trace attaches in the VM tests; repeatable
    #[arg(long, value_parser = ["fentry", "kprobe"])]
    attach: Vec<String>,
    /// Processors of the guests in the VM tests, 1 or 2; repeatable
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    cpus: Vec<u8>,
}

impl Arguments {
    /// What the VM tests run on.
    fn settings(&self, filter: Option<&str>) -> Vec<Setting<'_>> {
        let all = kernels::SERIES.map(|series| series.name);
        let mut kernels: Vec<_> = self.kernel.iter().map(String::as_str).collect();
        let any = !(kernels.is_empty() && self.attach.is_empty() && self.cpus.is_empty());
        if kernels.is_empty() {
            kernels = all.into();
        }
        if any || filter.is_some() {
            settings::chosen(&kernels, &self.attach, &self.cpus)
        } else {
            settings::usual(&kernels)
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (suite, filter) = match arguments.words.as_slice() {
        [suite, rest @ ..] if SUITES.contains(&suite.as_str()) => (Some(suite), rest),
        rest => (None, rest),
    };
    if filter.len() > 1 {
        let problem = "give one FILTER, after `unit`, `fuzz`, `package` or `vm`\n";
        clap::Error::raw(ErrorKind::TooManyValues, problem).exit();
    }
    let filter = filter.first().map(String::as_str);
    let wants = |name| suite.is_none_or(|suite| suite == name);

    setup::for_build()?;
    let mut total = Tally::default();
    if wants("unit") {
        total += unit(filter)?;
    }
    if wants("fuzz") {
        total += fuzzed(filter)?;
    }
    if wants("package") {
        total += package::test(filter)?;
    }
    if wants("vm") {
        total += guests::test(&arguments.settings(filter), filter)?;
    }
    if total == Tally::default() {
        eprintln!("error: no test has {} in its name", filter.unwrap_or_default());
        total.failed = 1;
    }
    for reason in &total.reasons {
        println!("{reason}");
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs what `cargo test` runs. Built as for guests, because what it takes is then built once for all tests.
fn unit(filter: Option<&str>) -> Result<Tally> {
    setup::for_unit()?;
    let mut cargo = build::guest_cargo("test")
        .arg("--no-fail-fast")
        .args(filter)
        .env(prometheus::VARIABLE, prometheus::folder())
        .env(prometheus::RECEIVER_VARIABLE, prometheus::receiver())
        .env(python::VARIABLE, python::interpreter())
        .env(chromium::VARIABLE, chromium::program())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let output = cargo.stdout.take().context("cargo has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        tally += Tally::of_line(&line).unwrap_or_default();
    }
    Ok(tally.unless_hidden(cargo.wait()?.success()))
}

/// Runs the fuzz targets, each for a few seconds.
fn fuzzed(filter: Option<&str>) -> Result<Tally> {
    let wanted = |(name, _): &&(&str, &str)| filter.is_none_or(|filter| name.contains(filter));
    let targets: Vec<_> = fuzz::TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() {
        return Ok(Tally::default());
    }
    let programs = fuzz::programs()?;
    let one = |(name, seeds): &(&str, &str)| match fuzz::fuzz(&programs, name, seeds, FUZZ_SECONDS)
    {
        Ok(done) => {
            println!("test fuzz {name} ... ok: {done}");
            Tally { passed: 1, ..Tally::default() }
        }
        Err(error) => {
            println!("test fuzz {name} ... FAILED: {error:#}");
            Tally { reasons: vec![format!("fuzz {name}: {error:#}")], ..Tally::FAILURE }
        }
    };
    Ok(targets.into_iter().map(one).sum())
}
