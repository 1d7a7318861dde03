//! `queue-trace doctor`: what this kernel offers, and whether the books balance.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::doctor::{self, Examination};
use crate::procfs::Sysctls;
use crate::source::Live;

/// Arguments of `queue-trace doctor`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace doctor
  sudo queue-trace doctor --duration 1m

Attaches, counts for a while, and compares with the kernel's own counters. Ctrl-C ends the watch early.
Exit status 1 means that the books do not balance.")]
pub struct DoctorArgs {
    /// How long to watch, for example 500ms, 10s or 2m
    #[arg(long, value_parser = super::trace::duration, default_value = "5s")]
    pub duration: Duration,
    /// How to attach.
    #[command(flatten)]
    pub attach: super::attach::AttachArgs,
}

/// Examines this kernel.
///
/// # Errors
///
/// One line for the user; also when the books do not balance.
pub fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(examine(args))
}

async fn examine(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Counting only: nothing is streamed.
    let (mut live, start) = Live::start(&args.attach.settings())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = tokio::time::sleep(args.duration) => {}
    }
    let snapshot = live.snapshot()?;
    let examination = Examination {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        start: &start,
        sysctls: Sysctls::read(),
        snapshot: &snapshot,
        watched: args.duration,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    doctor::write(&mut out, &examination)?;
    out.flush()?;
    let even = snapshot.books.iter().all(crate::model::Balance::even);
    anyhow::ensure!(even, "the books do not balance: see above which counter and by how much");
    Ok(())
}
