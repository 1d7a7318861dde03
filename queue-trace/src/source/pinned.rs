//! A kernel side that outlives us: pinned, and gone on with by the next process.

use std::path::Path;

use anyhow::Context;
use queue_trace_common::ListenerInfo;

use super::books::Books;
use super::live::{Live, Resumed, Start};
use super::seeds::Seeds;
use super::state::{self, State, wall_ns};
use crate::kernel::attach::{Settings, attach};
use crate::kernel::pins::Pins;
use crate::kernel::resume::{Former, resume};

/// What is pinned, and what is told of it.
pub(super) struct Pinned {
    pins: Pins,
    former: Former,
    began_ns: i64,
}

impl Live {
    /// Goes on with what is pinned in a folder; where nothing is, or another kernel side, starts anew and pins it.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line for the user: what is missing and what to do.
    pub fn start_pinned(settings: &Settings, folder: &Path) -> anyhow::Result<(Self, Start)> {
        let pins = Pins::open(folder)?;
        let mut note = None;
        if pins.any() {
            let went_on = State::read(&pins).and_then(|state| {
                resume(&pins, &state.former, settings).map(|attached| (state, attached))
            });
            match went_on {
                Ok((state, attached)) => return Self::go_on(pins, state, attached),
                Err(why) => note = Some(format!("starting anew, not with what is pinned: {why}")),
            }
            pins.clear().context("cannot take old pins away")?;
        }
        let (live, mut start) = Self::start_and_pin(settings, pins)?;
        start.notes.extend(note);
        Ok((live, start))
    }

    fn start_and_pin(settings: &Settings, pins: Pins) -> anyhow::Result<(Self, Start)> {
        let settings = Settings { listeners: Seeds::count_now(), ..settings.clone() };
        let mut attached = attach(&settings)?;
        if attached.links.len() < attached.plan.hooks.len() {
            let (live, mut start) = Self::begin(attached)?;
            pins.remove().context("cannot take the folder of pins away")?;
            let why = "nothing is pinned: on this kernel kprobes end with their process";
            start.notes.push(why.to_owned());
            return Ok((live, start));
        }
        if let Err(error) = pins.pin(&mut attached) {
            // What was pinned would go on for nobody.
            let _ = pins.clear();
            return Err(error.into());
        }
        let former = Former::of(&attached);
        let (mut live, start) = Self::begin(attached)?;
        live.pinned = Some(Pinned { pins, former, began_ns: wall_ns() });
        live.keep(&[])?;
        Ok((live, start))
    }

    fn go_on(
        pins: Pins,
        state: State,
        attached: crate::kernel::attach::Attached,
    ) -> anyhow::Result<(Self, Start)> {
        let State { former, began_ns, missed_before, last_id, books, folded, .. } = state;
        let (mut live, mut start) = Self::with_books(attached, |_, _, _| Books::reopen(books))?;
        live.missed_before = missed_before;
        live.names.begin_after(last_id);
        live.closed = state.closed.into_iter().map(|(who, sums)| (who, sums.into())).collect();
        live.closed_workers = state.workers;
        live.watch.folded = folded;
        live.pinned = Some(Pinned { pins, former, began_ns });
        // What the former process had counted, but not forgotten yet.
        for (slot, info) in live.maps.slots.used() {
            if state.counted.contains(&(slot, info.opened_ns)) {
                live.maps.release(slot, info.socket)?;
            }
        }
        let not_streamed = live.maps.shed().iter().chain(&live.maps.thinned()).sum();
        start.resumed = Some(Resumed { began_ns, not_streamed });
        Ok((live, start))
    }

    /// Writes down what the kernel does not keep, if anything is pinned. The totals of these slots are among it: they
    /// are about to be given back.
    pub(super) fn keep(&self, counted: &[(u32, ListenerInfo)]) -> anyhow::Result<()> {
        let Some(Pinned { pins, former, began_ns }) = &self.pinned else { return Ok(()) };
        let closed = self.closed.iter().map(|(who, totals)| (who.clone(), totals.into()));
        let state = State {
            pins: pins.identity().context("cannot find the pinned maps")?,
            former: former.clone(),
            began_ns: *began_ns,
            missed_before: self.missed_before,
            last_id: self.names.last_id(),
            books: self.books.keep(),
            closed: closed.collect(),
            workers: self.closed_workers.clone(),
            folded: self.watch.folded,
            counted: counted.iter().map(|(slot, info)| (*slot, info.opened_ns)).collect(),
        };
        state.write(pins.folder())
    }
}

/// Takes away what is pinned in a folder; whether there was anything.
///
/// # Errors
///
/// When it is in use, or cannot be taken away.
pub fn unpin(folder: &Path) -> anyhow::Result<bool> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let pins = Pins::open(folder)?;
    pins.remove().with_context(|| format!("cannot take {} away", folder.display()))?;
    state::remove(folder)?;
    Ok(true)
}
