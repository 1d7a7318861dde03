//! Reads a recording, a block at a time.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, Read};

use prost::Message;

use super::frame::{self, Head, Kind};
use super::header::Header;
use super::names::Numbers;
use super::{census, columns, counters, listeners, wire};
use crate::model::{Listener, QueueEvent, Snapshot, Totals};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as one.
    #[error("not a recording of queue-trace")]
    Foreign,
    /// The blocks themselves are of another kind.
    #[error("format {0} is of a later queue-trace: use that one")]
    Later(u32),
    /// Not even the first block is whole.
    #[error("not even the beginning of the recording is whole")]
    NoHeader,
}

/// What of a file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The file ends within a block.
    Cut {
        /// So many bytes are of that block.
        bytes: u64,
    },
    /// A block is damaged, and what follows makes no sense without it.
    Damaged {
        /// Where it begins.
        at: u64,
        /// So many bytes are not read.
        bytes: u64,
    },
    /// All blocks are whole, but the recording was not ended.
    NoEnd,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { bytes } => write!(
                f,
                "the recording was cut short: its last {bytes} bytes are no whole block; up to a second \
                 may be missing"
            ),
            Self::Damaged { at, bytes } => write!(
                f,
                "the recording is damaged at byte {at}: it and all after it, {bytes} bytes, is not shown"
            ),
            Self::NoEnd => f.write_str(
                "the recording has no end: it is still being written, or its writer was killed and up to a \
                 second is missing",
            ),
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something that is of use later.
    More,
    /// Counters; see [`Reader::snapshot`].
    Snapshot,
    /// What is to be seen around the listeners.
    Census,
    /// Nothing any more; see [`Reader::loss`].
    End,
}

/// Reads one file.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    header: Header,
    numbers: Numbers,
    /// Bytes of whole blocks so far.
    position: u64,
    /// Descriptions by number.
    listeners: HashMap<u32, Listener>,
    /// The next description's number.
    next: u32,
    order: Vec<u32>,
    counted: HashMap<u32, Totals>,
    rest: Snapshot,
    census: Option<census::Census>,
    unknown: u64,
    ended: bool,
    /// Whether the recording goes on in another file.
    continued: bool,
    loss: Option<Loss>,
}

/// What a block turned out to be.
enum Block {
    Whole(Option<Kind>, Vec<u8>),
    None,
    Lost(Loss),
}

impl<R: Read> Reader<R> {
    /// Reads how a file begins.
    ///
    /// # Errors
    ///
    /// When it is no recording.
    pub fn new(mut input: R) -> Result<Self, Error> {
        let mut preamble = Vec::new();
        input.by_ref().take(frame::PREAMBLE as u64).read_to_end(&mut preamble)?;
        let version = preamble.strip_prefix(&frame::MAGIC).ok_or(Error::Foreign)?;
        let version = u32::from_le_bytes(version.try_into().map_err(|_| Error::NoHeader)?);
        if version != frame::VERSION {
            return Err(Error::Later(version));
        }
        let mut position = frame::PREAMBLE as u64;
        let Block::Whole(Some(Kind::Header), payload) = block(&mut input, &mut position)? else {
            return Err(Error::NoHeader);
        };
        let message = wire::Header::decode(payload.as_slice()).map_err(|_| Error::NoHeader)?;
        Ok(Self {
            input,
            numbers: Numbers::new(&message.outcomes, &message.tallies, &message.faults),
            header: message.into(),
            position,
            listeners: HashMap::new(),
            next: 0,
            order: Vec::new(),
            counted: HashMap::new(),
            rest: Snapshot::default(),
            census: None,
            unknown: 0,
            ended: false,
            continued: false,
            loss: None,
        })
    }

    /// What the recording is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What could not be read, once the end was reached.
    pub fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Whether the recording goes on in another file, once the end was reached.
    pub fn continued(&self) -> bool {
        self.continued
    }

    /// How many events and counts this program has no name for: they are of a later version.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// When the last snapshot was taken; 0 before the first.
    pub fn time_ns(&self) -> u64 {
        self.rest.time_ns
    }

    /// The listeners of the last snapshot, and what had happened at them.
    pub fn counted(&self) -> impl Iterator<Item = (&Listener, &Totals)> {
        self.order.iter().filter_map(|n| Some((self.listeners.get(n)?, self.counted.get(n)?)))
    }

    /// The last snapshot.
    pub fn snapshot(&self) -> Snapshot {
        let listeners = self.counted().map(|(listener, totals)| (listener.clone(), *totals));
        Snapshot { listeners: listeners.collect(), ..self.rest.clone() }
    }

    /// What was last to be seen around the listeners, if that was told.
    pub(crate) fn census(&self) -> Option<&census::Census> {
        self.census.as_ref()
    }

    /// Reads one block and hands its events over, until `each` answers false.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; a damaged one can, up to the damage.
    pub fn read(&mut self, each: impl FnMut(&Listener, &QueueEvent) -> bool) -> io::Result<Step> {
        if self.loss.is_some() || self.ended {
            return Ok(Step::End);
        }
        let at = self.position;
        match block(&mut self.input, &mut self.position)? {
            Block::None => self.loss = Some(Loss::NoEnd),
            Block::Lost(loss) => self.loss = Some(loss),
            Block::Whole(kind, payload) => match self.understand(kind, &payload, each) {
                Some(step) => return Ok(step),
                None => {
                    let bytes = self.position - at + drain(&mut self.input)?;
                    self.loss = Some(Loss::Damaged { at, bytes });
                }
            },
        }
        Ok(Step::End)
    }

    /// Takes what a block says; nothing if that cannot be.
    fn understand(
        &mut self,
        kind: Option<Kind>,
        payload: &[u8],
        each: impl FnMut(&Listener, &QueueEvent) -> bool,
    ) -> Option<Step> {
        // One of a later version: what follows makes sense without it.
        let Some(kind) = kind else { return Some(Step::More) };
        match kind {
            Kind::Header => return None,
            Kind::Listeners => {
                for message in wire::Listeners::decode(payload).ok()?.listeners {
                    self.listeners.insert(self.next, listeners::listener(message)?);
                    self.next = self.next.checked_add(1)?;
                }
            }
            Kind::Events => self.events(&wire::Events::decode(payload).ok()?, each)?,
            Kind::Snapshot => {
                self.count(wire::Snapshot::decode(payload).ok()?)?;
                return Some(Step::Snapshot);
            }
            Kind::Census => {
                self.census = Some(census::Census::decode(payload).ok()?);
                return Some(Step::Census);
            }
            Kind::End => {
                self.continued = wire::End::decode(payload).ok()?.continued;
                self.ended = true;
                return Some(Step::End);
            }
        }
        Some(Step::More)
    }

    fn events(
        &mut self,
        message: &wire::Events,
        mut each: impl FnMut(&Listener, &QueueEvent) -> bool,
    ) -> Option<()> {
        let Self { listeners, numbers, unknown, .. } = self;
        let mut wanted = true;
        columns::each(message, numbers, |event| {
            match event {
                Some((number, event)) => {
                    let listener = listeners.get(&number)?;
                    wanted = wanted && each(listener, &event);
                }
                None => *unknown += 1,
            }
            Some(())
        })
    }

    fn count(&mut self, message: wire::Snapshot) -> Option<()> {
        for totals in &message.totals {
            let read = counters::read_totals(totals, &self.numbers, &mut self.unknown);
            self.counted.insert(totals.listener, read);
        }
        let tier = &self.header.means.tier;
        let rest = counters::read(&message, &self.numbers, tier, &mut self.unknown);
        let before = std::mem::replace(&mut self.rest, rest);
        if message.namespaces.is_none() {
            self.rest.namespaces = before.namespaces;
        }
        if let Some(order) = message.order {
            self.order = order.listeners;
        }
        let Self { order, listeners, counted, .. } = self;
        if !order.iter().all(|n| listeners.contains_key(n) && counted.contains_key(n)) {
            return None;
        }
        // As the writer does.
        if listeners.len() > order.len() || counted.len() > order.len() {
            let kept: HashSet<_> = order.iter().collect();
            listeners.retain(|number, _| kept.contains(number));
            counted.retain(|number, _| kept.contains(number));
        }
        Some(())
    }
}

#[cfg(test)]
impl<R> Reader<R> {
    /// Takes other names as those of the outcomes.
    pub(super) fn rename(&mut self, outcomes: &[String]) {
        self.numbers = Numbers::new(outcomes, &[], &[]);
    }
}

/// Reads a block; the position is moved behind it.
fn block(input: &mut impl Read, position: &mut u64) -> io::Result<Block> {
    let at = *position;
    let mut head = Vec::with_capacity(frame::HEAD);
    input.by_ref().take(frame::HEAD as u64).read_to_end(&mut head)?;
    let cut = |bytes: usize| Block::Lost(Loss::Cut { bytes: bytes as u64 });
    let bytes: [u8; frame::HEAD] = match head.try_into() {
        Ok(bytes) => bytes,
        Err(head) if head.is_empty() => return Ok(Block::None),
        Err(head) => return Ok(cut(head.len())),
    };
    let damaged = |read: usize, input: &mut _| -> io::Result<Block> {
        let bytes = (frame::HEAD + read) as u64 + drain(input)?;
        Ok(Block::Lost(Loss::Damaged { at, bytes }))
    };
    let Some(head) = Head::parse(&bytes) else { return damaged(0, input) };
    let mut packed = Vec::new();
    input.by_ref().take(head.length as u64).read_to_end(&mut packed)?;
    if packed.len() < head.length {
        return Ok(cut(frame::HEAD + packed.len()));
    }
    let Some((kind, payload)) = head.open(&packed) else { return damaged(packed.len(), input) };
    *position += (frame::HEAD + packed.len()) as u64;
    Ok(Block::Whole(kind, payload))
}

/// How many bytes are left.
fn drain(input: &mut impl Read) -> io::Result<u64> {
    io::copy(input, &mut io::sink())
}
