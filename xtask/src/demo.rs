//! `cargo xtask demo`: the main job, seen working.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::setup::kernels;
use crate::{build, command, setup, vm};

/// Shows queue-trace at work: a server that does not accept, clients that pile up, and why
///
/// Runs on this kernel if we are root and it lets us trace, else in a virtual machine. Sets up first.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Takes a virtual machine with this kernel in any case: 5.10, 6.1, 6.12, 7.2, newest, or the
    /// path of a vmlinuz
    #[arg(long, value_parser = kernels::parse)]
    kernel: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    eprintln!("demo: building queue-trace");
    build::guest_programs(&[("demo", "xtask"), ("queue-trace", "queue-trace")])?;
    let [demo, queue_trace] = ["demo", "queue-trace"].map(build::guest_path);
    if let Some(kernel) = &arguments.kernel {
        return in_vm(kernel, &demo);
    }
    if let Err(obstacle) = can_trace(&queue_trace) {
        eprintln!("demo: not on this kernel ({obstacle})");
        return in_vm(kernels::DEFAULT, &demo);
    }
    eprintln!("demo: on this kernel");
    let status = Command::new(demo).arg(queue_trace).status().context("cannot run the demo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn in_vm(kernel: &str, demo: &Path) -> Result<ExitCode> {
    setup::for_vm(kernel, true)?;
    eprintln!("demo: in a virtual machine with Linux {}", vm::kernel::release_of(kernel)?);
    vm::boot(&vm::Run {
        kernel: kernel.into(),
        copy: vec![vm::guest::Copy::executable(demo)],
        smp: 2,
        no_build: true,
        command: vec!["demo".into(), "queue-trace".into()],
        ..vm::Run::default()
    })
}

/// Whether queue-trace works here and now; if not, why.
fn can_trace(queue_trace: &Path) -> Result<()> {
    anyhow::ensure!(rustix::process::geteuid().is_root(), "not root");
    let mut probe = Command::new(queue_trace);
    probe.args(["trace", "--duration", "1ms"]).stdin(Stdio::null());
    command::output(&mut probe).map(drop)
}
