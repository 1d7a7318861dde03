//! What is written is read again, and whatever becomes of a file, what is whole of it.

use crate::model::{Listener, QueueEvent, Snapshot};

use super::{Header, Loss, Reader, Step, Writer};

mod damage;
mod disk;
mod made;
mod mutated;
mod round;
mod version1;

/// All that a file tells.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    events: Vec<(Listener, QueueEvent)>,
    snapshots: Vec<Snapshot>,
    loss: Option<Loss>,
    unknown: u64,
}

impl Told {
    /// Whether all of this was told by another file before anything else.
    fn begins(&self, whole: &Self) -> bool {
        whole.events.starts_with(&self.events) && whole.snapshots.starts_with(&self.snapshots)
    }
}

/// Reads a file to its end.
fn read(bytes: &[u8]) -> Result<(Header, Told), super::Error> {
    let mut reader = Reader::new(bytes)?;
    let mut told = Told::default();
    loop {
        let step = reader.read(|listener, event| {
            told.events.push((listener.clone(), *event));
            true
        })?;
        match step {
            Step::More | Step::Census => {}
            Step::Snapshot => told.snapshots.push(reader.snapshot()),
            Step::End => break,
        }
    }
    (told.loss, told.unknown) = (reader.loss(), reader.unknown());
    Ok((reader.header().clone(), told))
}

/// Writes a file of seconds: events, and a snapshot after them.
fn write(seconds: &[(Vec<(Listener, QueueEvent)>, Snapshot)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &made::header()).unwrap();
    for (events, snapshot) in seconds {
        for (listener, event) in events {
            writer.event(listener, event).unwrap();
        }
        writer.snapshot(snapshot).unwrap();
    }
    writer.end(false).unwrap();
    drop(writer);
    bytes
}
