//! A recording on disk: one file after the other, a bounded number of them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::census;
use super::header::Header;
use super::writer::Writer;
use crate::model::{Listener, QueueEvent, Snapshot};

/// When another file is begun, and how many are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Once a file has this many bytes.
    pub size: Option<u64>,
    /// Once it covers this much time.
    pub time: Option<Duration>,
    /// So many files are kept, the one that is written included; at least one.
    pub keep: usize,
}

impl Limits {
    /// Whether there is to be more than one file.
    #[must_use]
    pub fn rotate(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}

/// Why a recording stopped before its end. What was written is readable.
#[derive(Debug, thiserror::Error)]
#[error("recording stopped with {events} events in {}, which cannot be written to", path.display())]
pub struct Stopped {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
    /// So many events are in the file.
    pub events: u64,
}

/// The files of one recording.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    limits: Limits,
    header: Header,
    writer: Writer<File>,
    /// When the first snapshot of the present file was taken.
    since_ns: Option<u64>,
    /// What was last to be seen around the listeners: the next file begins with it.
    census: census::Census,
}

impl Files {
    /// Begins a recording. A file that is there already is moved away if there may be several, and else
    /// left alone.
    ///
    /// # Errors
    ///
    /// When the file is there already, or cannot be made.
    pub fn create(path: PathBuf, header: Header, limits: Limits) -> io::Result<Self> {
        if limits.rotate() {
            make_room(&path, limits.keep)?;
        }
        let writer = begin(&path, &header)?;
        Ok(Self { path, limits, header, writer, since_ns: None, census: census::Census::default() })
    }

    /// Adds an event.
    ///
    /// # Errors
    ///
    /// When the file cannot be written to: the recording is at its end then.
    pub fn event(&mut self, listener: &Listener, event: &QueueEvent) -> Result<(), Stopped> {
        self.writer.event(listener, event).map_err(|source| self.stop(source))
    }

    /// Adds a snapshot, and begins another file if it is time to.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), Stopped> {
        self.writer.snapshot(snapshot).map_err(|source| self.stop(source))?;
        let since_ns = *self.since_ns.get_or_insert(snapshot.time_ns);
        let covered = Duration::from_nanos(snapshot.time_ns.saturating_sub(since_ns));
        let large = self.limits.size.is_some_and(|size| self.writer.position() >= size);
        let long = self.limits.time.is_some_and(|time| covered >= time);
        if !large && !long {
            return Ok(());
        }
        self.writer.end(true).map_err(|source| self.stop(source))?;
        self.next(snapshot).map_err(|source| self.stopped(source))
    }

    /// Adds what is to be seen around the listeners.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub(crate) fn census(&mut self, census: census::Census) -> Result<(), Stopped> {
        self.writer.census(&census).map_err(|source| self.stop(source))?;
        self.census = census;
        Ok(())
    }

    /// Ends the recording.
    ///
    /// # Errors
    ///
    /// As [`Self::event`].
    pub fn end(mut self) -> Result<(), Stopped> {
        let ended = self.writer.end(false).and_then(|()| self.writer.out().sync_all());
        ended.map_err(|source| self.stop(source))
    }

    /// How many events the present file has.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.writer.events()
    }

    /// Begins another file, which has everything that is needed to read it alone.
    fn next(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        make_room(&self.path, self.limits.keep)?;
        self.header.part += 1;
        self.writer = begin(&self.path, &self.header)?;
        self.since_ns = Some(snapshot.time_ns);
        self.writer.census(&self.census)?;
        self.writer.snapshot(snapshot)
    }

    /// Takes what is no whole block off the end of the file.
    fn stop(&self, source: io::Error) -> Stopped {
        // Where this fails, the reader leaves it out.
        let _ = self.writer.out().set_len(self.writer.position());
        self.stopped(source)
    }

    fn stopped(&self, source: io::Error) -> Stopped {
        Stopped { path: self.path.clone(), source, events: self.writer.events() }
    }
}

/// Makes a file that only its owner may read: it has the addresses of clients.
fn begin(path: &Path, header: &Header) -> io::Result<Writer<File>> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    Writer::new(file, header).inspect_err(|_| {
        // Nothing is in it.
        let _ = fs::remove_file(path);
    })
}

/// Moves `FILE` to `FILE.1`, that to `FILE.2` and so on; of all there are `keep - 1` at most then.
fn make_room(path: &Path, keep: usize) -> io::Result<()> {
    let older = |number| numbered(path, number);
    let there = |done: io::Result<()>| match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    let last = keep.saturating_sub(1);
    there(fs::remove_file(older(last)))?;
    (0..last).rev().try_for_each(|number| there(fs::rename(older(number), older(number + 1))))
}

/// The name of an older file: `FILE.1` is the one before `FILE`.
pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.into()
}
