//! `queue-trace top`: the live view in the terminal.

mod judge;
mod now;
mod signals;
#[cfg(feature = "record")]
mod tape;
mod view;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use self::now::Now;
use self::signals::Signals;
#[cfg(feature = "record")]
use self::tape::Tape;
use self::view::View;
use crate::kernel::hooks::Tier;
use crate::output::top::{Action, Fed, Origin, Pace};

/// Arguments of `queue-trace top`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo queue-trace top
  queue-trace top --attach poll
  queue-trace top --input incident.qtrace

Keys: ? help, Enter opens a listener, / filters, s sorts, Space pauses, left and right go through history,
q quits. Colours follow COLORTERM and NO_COLOR.")]
pub struct TopArgs {
    #[cfg(feature = "record")]
    /// Play what was recorded in this file, instead of what happens now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["attach", "btf", "interval"])]
    pub input: Option<PathBuf>,
    /// How often to read the counters, for example 500ms or 2s
    #[arg(long, value_parser = super::trace::duration, value_name = "TIME", default_value = "1s")]
    pub interval: Duration,
    /// How to attach: by the best means there are, by this one, or not at all
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub attach: How,
    /// BTF or vmlinux of this very kernel, if it does not show its BTF itself; implies kprobes
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
}

/// How to attach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// By the best means that this kernel allows; where it allows none, poll.
    #[default]
    Auto,
    /// BPF trampolines.
    Fentry,
    /// Kprobes.
    Kprobe,
    /// Not at all: ask the system again and again. Needs no privileges.
    Poll,
}

impl How {
    fn tier(self) -> Option<Tier> {
        match self {
            Self::Fentry => Some(Tier::Fentry),
            Self::Kprobe => Some(Tier::Kprobe),
            Self::Auto | Self::Poll => None,
        }
    }
}

/// Where what is shown comes from.
enum Feed {
    Now(Box<Now>),
    #[cfg(feature = "record")]
    Tape(Box<Tape>),
}

/// Shows the view until it is quit, or a signal comes.
///
/// # Errors
///
/// One line for the user; the terminal is as it was, then.
pub fn run(args: &TopArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        io::stdin().is_terminal() && io::stdout().is_terminal(),
        "`top` needs a terminal for input and output: `trace`, `replay` and `listeners` do without"
    );
    crate::cli::block_on(show(args))
}

async fn show(args: &TopArgs) -> anyhow::Result<()> {
    // Before the terminal is taken, so that a signal from now on gives it back.
    let mut signals = Signals::catch()?;
    let (mut feed, origin) = Feed::open(args)?;
    let mut view = View::start(origin)?;
    loop {
        let pace = view.state.pace;
        let action = tokio::select! {
            biased;
            action = signals.next() => action,
            input = view.input() => view.take(&input?)?,
            fed = feed.next(pace) => {
                view.show(fed?)?;
                Action::Continue
            }
        };
        match action {
            Action::Continue => {}
            Action::Suspend => view.suspend(&mut signals).await?,
            Action::Quit => break,
        }
    }
    // What is said from now on is to be read.
    drop(view);
    feed.end()
}

impl Feed {
    fn open(args: &TopArgs) -> anyhow::Result<(Self, Origin)> {
        #[cfg(feature = "record")]
        if let Some(file) = &args.input {
            let (tape, origin) = Tape::open(file)?;
            return Ok((Self::Tape(Box::new(tape)), origin));
        }
        let (now, origin) = Now::start(args)?;
        Ok((Self::Now(Box::new(now)), origin))
    }

    /// Waits for what is shown next; nothing when there will be nothing any more.
    async fn next(&mut self, pace: Option<Pace>) -> anyhow::Result<Option<Fed>> {
        let pace = pace.unwrap_or_default();
        match self {
            _ if pace.ended => std::future::pending().await,
            Self::Now(now) => now.next().await.map(Some),
            #[cfg(feature = "record")]
            Self::Tape(tape) => tape.next(pace).await,
        }
    }

    fn end(&self) -> anyhow::Result<()> {
        match self {
            Self::Now(_) => Ok(()),
            #[cfg(feature = "record")]
            Self::Tape(tape) => tape.end(),
        }
    }
}
