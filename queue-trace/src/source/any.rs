//! Any of the sources, for those who do not care which.

use std::collections::HashMap;
#[cfg(feature = "serve")]
use std::path::Path;

use crate::kernel::attach::Settings;
use crate::model::{Listener, QueueEvent, Snapshot};
use crate::procfs::Sysctls;

use super::live::{Live, Resumed, Start};
use super::poll::{self, Poll};

/// Where a daemon's events and counters come from.
pub enum Source {
    /// The kernel side counts.
    Live(Box<Live>),
    /// The system is asked again and again.
    Poll(Poll),
}

/// What became known at the start of any source.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// By which means.
    pub tier: &'static str,
    /// Listeners that were there already.
    pub listeners: usize,
    /// Why it is not the better tier, where it was not forced.
    pub refusal: Option<String>,
    /// What cannot be seen, one phrase each.
    pub losses: Vec<String>,
    /// What could not be seen at the start, one line each.
    pub notes: Vec<String>,
    /// What is gone on with, if a former process left it pinned.
    pub resumed: Option<Resumed>,
}

impl Source {
    /// Attaches; where that is refused and `fall_back` is set, polls. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line for the user: what is missing and what to do.
    pub fn attach(settings: &Settings, fall_back: bool) -> anyhow::Result<(Self, Beginning)> {
        Self::from(Live::start(settings), fall_back)
    }

    /// The same with what is pinned in a folder, and pins there what is attached. That somebody else uses the
    /// folder is never a reason to poll.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`].
    #[cfg(feature = "serve")]
    pub fn attach_pinned(
        settings: &Settings,
        folder: &Path,
        fall_back: bool,
    ) -> anyhow::Result<(Self, Beginning)> {
        let started = Live::start_pinned(settings, folder);
        let of_pins = |error: &anyhow::Error| error.is::<crate::kernel::pins::PinsError>();
        let fall_back = fall_back && !started.as_ref().is_err_and(of_pins);
        Self::from(started, fall_back)
    }

    fn from(
        started: anyhow::Result<(Live, Start)>,
        fall_back: bool,
    ) -> anyhow::Result<(Self, Beginning)> {
        match started {
            Ok((live, start)) => {
                let beginning = Beginning {
                    tier: start.plan.tier.name(),
                    listeners: start.listeners,
                    refusal: start.plan.refusal,
                    losses: start.plan.losses,
                    notes: start.notes,
                    resumed: start.resumed,
                };
                Ok((Self::Live(Box::new(live)), beginning))
            }
            Err(error) if fall_back => {
                let (source, beginning) = Self::poll()?;
                Ok((source, Beginning { refusal: Some(format!("{error:#}")), ..beginning }))
            }
            Err(error) => Err(error),
        }
    }

    /// Polls, without BPF.
    ///
    /// # Errors
    ///
    /// When not even that is possible.
    pub fn poll() -> anyhow::Result<(Self, Beginning)> {
        let (poll, notes) = Poll::start()?;
        let beginning = Beginning {
            tier: poll::TIER,
            listeners: poll.count_listeners(),
            refusal: None,
            losses: poll::LOSSES.map(str::to_owned).to_vec(),
            notes,
            resumed: None,
        };
        Ok((Self::Poll(poll), beginning))
    }

    /// Waits for events and hands them over; stops early when `each` answers false. There are none where
    /// we poll: then it waits for ever.
    ///
    /// # Errors
    ///
    /// When they cannot be waited for.
    pub async fn events(
        &mut self,
        each: impl FnMut(&Listener, &QueueEvent) -> bool,
    ) -> anyhow::Result<()> {
        match self {
            Self::Live(live) => live.events(each).await,
            Self::Poll(_) => std::future::pending().await,
        }
    }

    /// Asks for what costs more to know than the counters.
    ///
    /// # Errors
    ///
    /// When the maps, or `/proc`, cannot be read.
    pub fn survey(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Live(live) => live.survey(),
            // What cannot be seen was said at the start.
            Self::Poll(poll) => poll.survey().map(|_| ()),
        }
    }

    /// The settings of the namespaces at the last survey, by their inodes; none where we poll, for nothing is judged
    /// by them there.
    #[must_use]
    pub fn settings(&self) -> HashMap<u32, Sysctls> {
        match self {
            Self::Live(live) => live.settings().clone(),
            Self::Poll(_) => HashMap::new(),
        }
    }

    /// Everything counted so far, if anything has changed since the last call.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn watch(&mut self) -> anyhow::Result<Option<Snapshot>> {
        match self {
            Self::Live(live) => live.watch(),
            Self::Poll(poll) => Ok(poll.watch()),
        }
    }
}
