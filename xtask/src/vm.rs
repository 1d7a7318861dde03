//! `cargo xtask vm run`: a command on another kernel.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::setup::kernels;
use crate::{build, setup};

pub(crate) mod archive;
pub(crate) mod guest;
pub(crate) mod kernel;
mod machine;
mod modules;

pub(crate) use machine::STUCK;

/// MiB; plenty for a guest whose files are all in memory.
const MEMORY: u32 = 1024;
/// Seconds; a guest takes 5 to boot.
const TIMEOUT: u64 = 600;

/// Works with virtual machines
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Run(Run),
}

/// Boots a kernel, runs a command there as root, and hands its output and exit status through
///
/// The guest holds busybox, queue-trace and the copied files; all its file systems are in memory.
/// The command's stdout and stderr are pipes, its stdin is empty. Whatever it leaves running is
/// killed when it ends.
///
/// Example: cargo xtask vm run --kernel 6.12 --copy ./probe -- sh -c 'uname -r; probe'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// 5.10, 6.1, 6.12, 7.2, newest, or the path of a vmlinuz
    #[arg(long, default_value = kernels::DEFAULT, value_parser = kernels::parse)]
    pub(crate) kernel: String,
    /// Puts a file into the guest with the libraries it needs; DEST is /usr/local/bin/NAME for
    /// executables and /root/NAME for others unless given; repeatable
    #[arg(long, value_name = "FILE[:DEST]")]
    pub(crate) copy: Vec<guest::Copy>,
    /// Counts instructions instead of time: the guest's clock runs by them, and its processors run in turn
    #[arg(long)]
    pub(crate) icount: bool,
    /// Number of processors
    #[arg(long, default_value_t = 1)]
    pub(crate) smp: u8,
    /// Memory in MiB
    #[arg(long, default_value_t = MEMORY)]
    pub(crate) memory: u32,
    /// Ends the guest after that many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    pub(crate) timeout: u64,
    /// Shows the kernel's console on stderr
    #[arg(long)]
    pub(crate) console: bool,
    /// Takes queue-trace as it was last built for guests, or leaves it out
    #[arg(long)]
    pub(crate) no_build: bool,
    /// What to run
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

impl Default for Run {
    /// As on the command line without options.
    fn default() -> Self {
        Self {
            kernel: kernels::DEFAULT.into(),
            copy: Vec::new(),
            icount: false,
            smp: 1,
            memory: MEMORY,
            timeout: TIMEOUT,
            console: false,
            no_build: false,
            command: Vec::new(),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Action::Run(run) = &arguments.action;
    boot(run)
}

/// Builds what is missing, boots, and gives the command's exit status.
pub(crate) fn boot(run: &Run) -> Result<ExitCode> {
    setup::for_vm(&run.kernel, run.no_build)?;
    let kernel = kernel::find(&run.kernel)?;
    let mut programs = vec![("guest-init", "xtask")];
    if !run.no_build {
        programs.push(("queue-trace", "queue-trace"));
    }
    build::guest_programs(&programs)?;
    let initramfs = guest::initramfs(run, &kernel).context("cannot write the initramfs")?;
    let outcome = machine::Machine::start(run, &kernel.image, &initramfs)?
        .wait(Duration::from_secs(run.timeout), run.console)?;
    Ok(ExitCode::from(outcome))
}

/// The static busybox that gives guests their shell.
pub(crate) fn busybox() -> PathBuf {
    crate::workspace::cache("busybox/bin/busybox")
}
