//! `cargo xtask`: sets up, builds, runs and tests queue-trace.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod build;
mod check;
mod command;
mod demo;
mod dist;
mod fuzz;
mod incident;
mod run;
mod setup;
mod test;
#[path = "../../queue-trace/build/toolchain.rs"]
#[expect(dead_code, reason = "the build script runs what is only looked for here")]
mod toolchain;
mod vm;
mod workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Setup(setup::Arguments),
    Build(build::Arguments),
    Run(run::Arguments),
    Demo(demo::Arguments),
    Incident(incident::Arguments),
    Check(check::Arguments),
    Test(test::Arguments),
    Fuzz(fuzz::Arguments),
    Bench(bench::Arguments),
    Dist(dist::Arguments),
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Setup(arguments) => setup::run(&arguments),
        Task::Build(arguments) => build::run(&arguments),
        Task::Run(arguments) => run::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Incident(arguments) => incident::run(&arguments),
        Task::Check(arguments) => check::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::Vm(arguments) => vm::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
