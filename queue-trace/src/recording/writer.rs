//! Writes a recording.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use prost::Message;

use super::census;
use super::columns::Columns;
use super::counters;
use super::frame::{self, Kind};
use super::header::Header;
use super::listeners::Dictionary;
use super::wire;
use crate::model::{Listener, QueueEvent, Snapshot, Totals};

/// So many events make a block, even if less than a second has passed.
const EVENTS_AT_ONCE: usize = 1 << 14;

/// Writes one file. What is in memory is bounded: one block of events, and of each listener of the last
/// snapshot its description and its totals.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// Bytes written: all of them whole blocks.
    position: u64,
    events: u64,
    listeners: Dictionary,
    columns: Columns,
    /// The listeners of the last snapshot, in order.
    order: Vec<u32>,
    /// The namespaces of that one; nothing before the first.
    namespaces: Option<wire::Namespaces>,
    /// Their totals.
    counted: HashMap<u32, Totals>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let mut writer = Self {
            out,
            position: 0,
            events: 0,
            listeners: Dictionary::default(),
            columns: Columns::default(),
            order: Vec::new(),
            namespaces: None,
            counted: HashMap::new(),
        };
        let mut bytes = Vec::new();
        frame::begin(&mut bytes);
        frame::add(&mut bytes, Kind::Header, &header.message().encode_to_vec())?;
        writer.write(&bytes, 0)?;
        Ok(writer)
    }

    /// How many bytes the file has, all of them in whole blocks.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// How many events the file has.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Adds an event, which is written with the next snapshot, or sooner if there are many.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to. The file ends after [`Self::position`] bytes then.
    pub fn event(&mut self, listener: &Listener, event: &QueueEvent) -> io::Result<()> {
        let number = self.listeners.number(listener);
        self.columns.push(number, event);
        if self.columns.len() < EVENTS_AT_ONCE {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let events = self.flush(&mut bytes)?;
        self.write(&bytes, events)
    }

    /// Adds a snapshot. All events so far are written before it.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub fn snapshot(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let mut message = counters::message(snapshot);
        let mut order = Vec::with_capacity(snapshot.listeners.len());
        for (listener, totals) in &snapshot.listeners {
            let number = self.listeners.number(listener);
            order.push(number);
            if self.counted.get(&number) != Some(totals) {
                message.totals.push(counters::totals(number, totals));
                self.counted.insert(number, *totals);
            }
        }
        let mut bytes = Vec::new();
        let events = self.flush(&mut bytes)?;
        let namespaces = Some(counters::namespaces(snapshot));
        if namespaces != self.namespaces {
            message.namespaces.clone_from(&namespaces);
            self.namespaces = namespaces;
        }
        if order != self.order {
            message.order = Some(wire::Order { listeners: order.clone() });
            self.order = order;
        }
        frame::add(&mut bytes, Kind::Snapshot, &message.encode_to_vec())?;
        let kept: HashSet<_> = self.order.iter().copied().collect();
        self.counted.retain(|number, _| kept.contains(number));
        self.listeners.keep(|number| kept.contains(&number));
        self.write(&bytes, events)
    }

    /// Adds what is to be seen around the listeners.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub(crate) fn census(&mut self, census: &census::Census) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::add(&mut bytes, Kind::Census, &census.encode_to_vec())?;
        self.write(&bytes, 0)
    }

    /// Where it writes to.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Ends the file; `continued` if the recording goes on in another one.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub fn end(&mut self, continued: bool) -> io::Result<()> {
        let mut bytes = Vec::new();
        let events = self.flush(&mut bytes)?;
        let end = wire::End { continued, events: self.events + events };
        frame::add(&mut bytes, Kind::End, &end.encode_to_vec())?;
        self.write(&bytes, events)
    }

    /// Makes blocks of what was gathered: listeners before the events at them. Gives how many events.
    fn flush(&mut self, bytes: &mut Vec<u8>) -> io::Result<u64> {
        if !self.listeners.fresh.listeners.is_empty() {
            let fresh = std::mem::take(&mut self.listeners.fresh);
            frame::add(bytes, Kind::Listeners, &fresh.encode_to_vec())?;
        }
        let events = self.columns.len() as u64;
        if events > 0 {
            frame::add(bytes, Kind::Events, &self.columns.take().encode_to_vec())?;
        }
        Ok(events)
    }

    /// Writes whole blocks in one piece, which have so many events.
    fn write(&mut self, bytes: &[u8], events: u64) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()?;
        self.events += events;
        self.position += bytes.len() as u64;
        Ok(())
    }
}
