//! `cargo xtask run`: queue-trace as root on this kernel.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{command, setup, workspace};

/// Builds queue-trace and runs it as root on this kernel
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Arguments of queue-trace
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    command::run(workspace::cargo().args(["build", "--quiet", "--package", "queue-trace"]))?;
    let program = workspace::target().join("debug/queue-trace");
    let program = program.to_str().context("the target folder's name is not UTF-8")?;
    // In our place, so that signals and exit status need no handing through.
    let error = command::as_root(program)?.args(&arguments.arguments).exec();
    Err(error).with_context(|| format!("cannot run {program} as root"))
}
