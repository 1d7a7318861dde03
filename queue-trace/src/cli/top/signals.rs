//! What other processes ask of us.

use std::io;

use anyhow::Context;
use rustix::process::{Signal as Kill, getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::top::Action;

/// The signals that the terminal has to be given back for.
pub(super) struct Signals {
    ends: [Signal; 4],
    suspend: Signal,
    resume: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            ends: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ],
            suspend: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            resume: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// Waits for one that ends us, or has us stop for a while.
    pub(super) async fn next(&mut self) -> Action {
        let [interrupt, terminate, hangup, quit] = &mut self.ends;
        tokio::select! {
            _ = interrupt.recv() => Action::Quit,
            _ = terminate.recv() => Action::Quit,
            _ = hangup.recv() => Action::Quit,
            _ = quit.recv() => Action::Quit,
            _ = self.suspend.recv() => Action::Suspend,
        }
    }

    /// Stops until the shell lets us go on.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        kill_process(getpid(), Kill::STOP).context("cannot stop")?;
        self.resume.recv().await;
        Ok(())
    }
}
