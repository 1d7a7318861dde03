//! Files on disk: several of them, and a disk that is full.

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::super::{Files, Header, Limits, Loss, Writer};
use super::{made, read, write};
use crate::source::{Gap, Recording};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("queue-trace-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The names in it, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(path: &Path, limits: Limits, seconds: u64) {
    let mut files = Files::create(path.to_owned(), made::header(), limits).unwrap();
    for second in 1..=seconds {
        for (listener, event) in made::events(second) {
            files.event(&listener, &event).unwrap();
        }
        files.snapshot(&made::snapshot(second)).unwrap();
    }
    files.end().unwrap();
}

#[test]
fn a_bounded_number_of_files_is_kept_and_each_can_be_read_alone() {
    let folder = Folder::new("rotation");
    let path = folder.0.join("a.qtrace");
    let limits = Limits { time: Some(Duration::from_secs(2)), keep: 3, ..Limits::default() };
    record(&path, limits, 9);
    assert_eq!(folder.names(), ["a.qtrace", "a.qtrace.1", "a.qtrace.2"]);
    let told = |name: &str| read(&fs::read(folder.0.join(name)).unwrap()).unwrap();
    // Files end with the seconds 3, 5, 7 and 9; then another one has begun.
    for (name, part, seconds) in
        [("a.qtrace.2", 2, 5..=7), ("a.qtrace.1", 3, 7..=9), ("a.qtrace", 4, 9..=9)]
    {
        let (header, told) = told(name);
        assert_eq!((header.part, told.loss), (part, None), "{name}");
        let snapshots: Vec<_> = seconds.clone().map(made::snapshot).collect();
        assert_eq!(told.snapshots, snapshots, "{name}");
        // The events before the first snapshot are in the file before.
        let events: Vec<_> = seconds.skip(1).flat_map(made::events).collect();
        assert_eq!(told.events, events, "{name}");
    }
}

/// The times of all snapshots and events, and what was missing.
fn told(path: &Path) -> (Vec<u64>, Vec<u64>, Vec<Gap>) {
    let mut recording = Recording::open(path).unwrap();
    let (mut events, mut snapshots) = (Vec::new(), Vec::new());
    while recording
        .advance(|_, event| {
            events.push(event.time_ns);
            true
        })
        .unwrap()
    {
        snapshots.push(recording.time_ns());
    }
    assert_eq!(recording.snapshot().listeners, made::snapshot(9).listeners);
    (snapshots, events, recording.gaps())
}

#[test]
fn files_of_one_recording_are_read_as_one() {
    let folder = Folder::new("parts");
    let path = folder.0.join("a.qtrace");
    let limits = Limits { time: Some(Duration::from_secs(2)), keep: 5, ..Limits::default() };
    // One that was there before, of another run.
    let earlier = Header { start_ns: 7, ..made::header() };
    Files::create(path.clone(), earlier, limits).unwrap().end().unwrap();
    record(&path, limits, 9);
    assert_eq!(folder.names().len(), 5);
    let expected = |from: u64, gaps: &[Gap]| {
        let snapshots: Vec<_> = (from..=9).map(|n| made::snapshot(n).time_ns).collect();
        let events = (from..=9).flat_map(made::events).map(|(_, event)| event.time_ns);
        (snapshots, events.collect::<Vec<_>>(), gaps.to_vec())
    };
    assert_eq!(told(&path), expected(1, &[]));
    // From the file that begins with second 5: what led to it is in the one before.
    let (snapshots, events, gaps) = told(&folder.0.join("a.qtrace.2"));
    let (all, later, none) = expected(5, &[]);
    assert_eq!((snapshots, gaps), (all, none));
    assert_eq!(events, later[made::events(5).len()..]);
    // Seconds 4 and 5 are gone, but for the snapshot that the next file begins with.
    fs::remove_file(folder.0.join("a.qtrace.3")).unwrap();
    let (snapshots, events, gaps) = told(&path);
    assert_eq!(gaps, [Gap::Missing(2, 2)]);
    let without = |time: &u64| ![4, 5].iter().any(|n| made::events(*n)[0].1.time_ns == *time);
    assert_eq!(snapshots, [1, 2, 3, 5, 6, 7, 8, 9].map(|n| made::snapshot(n).time_ns));
    assert!(events.iter().all(without) && events.len() < expected(1, &[]).1.len());
    // Without the last files, and with one that is cut.
    fs::remove_file(&path).unwrap();
    fs::remove_file(folder.0.join("a.qtrace.1")).unwrap();
    let last = folder.0.join("a.qtrace.2");
    assert_eq!(Recording::open(&last).unwrap().gaps(), []);
    let mut recording = Recording::open(&last).unwrap();
    while recording.advance(|_, _| true).unwrap() {}
    assert_eq!(recording.gaps(), [Gap::Continued(3)]);
}

#[test]
fn a_file_that_was_cut_is_told_by_its_number() {
    let folder = Folder::new("cut");
    let path = folder.0.join("a.qtrace");
    let limits = Limits { time: Some(Duration::from_secs(2)), keep: 9, ..Limits::default() };
    record(&path, limits, 9);
    let third = folder.0.join("a.qtrace.2");
    let bytes = fs::read(&third).unwrap();
    fs::write(&third, &bytes[..bytes.len() - 1]).unwrap();
    let (snapshots, _, gaps) = told(&path);
    assert!(matches!(gaps[..], [Gap::Lost(Some(3), Loss::Cut { .. })]), "{gaps:?}");
    assert_eq!(gaps[0].to_string().split(": ").next(), Some("file 3"));
    assert_eq!(snapshots.len(), 9, "each file begins with the last snapshot of the one before");
}

#[test]
fn a_file_ends_when_it_is_large_enough() {
    let folder = Folder::new("size");
    let path = folder.0.join("a.qtrace");
    let limits = Limits { size: Some(4096), keep: 100, ..Limits::default() };
    record(&path, limits, 20);
    let sizes: Vec<_> = folder
        .names()
        .iter()
        .map(|name| fs::metadata(folder.0.join(name)).unwrap().len())
        .collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(sizes[1..].iter().all(|size| (4096..8192).contains(size)), "{sizes:?}");
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let folder = Folder::new("there");
    let path = folder.0.join("a.qtrace");
    fs::write(&path, "precious").unwrap();
    let error = Files::create(path.clone(), made::header(), Limits::default()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    // It makes room where there may be several.
    record(&path, Limits { size: Some(1 << 20), keep: 2, time: None }, 1);
    assert_eq!(folder.names(), ["a.qtrace", "a.qtrace.1"]);
    assert_eq!(fs::read(folder.0.join("a.qtrace.1")).unwrap(), b"precious");
}

/// A disk with so much room.
#[derive(Clone)]
struct Disk(Rc<RefCell<Vec<u8>>>, usize);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.borrow_mut();
        let room = (self.1 - written.len()).min(bytes.len());
        written.extend(&bytes[..room]);
        if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_fits_on_a_full_disk_is_readable() {
    let seconds = made::seconds();
    let bytes = write(&seconds);
    let (_, whole) = read(&bytes).unwrap();
    for room in 0..bytes.len() {
        let disk = Disk(Rc::default(), room);
        let Ok(mut writer) = Writer::new(disk.clone(), &made::header()) else { continue };
        let failed = seconds.iter().any(|(events, snapshot)| {
            let failed = events.iter().any(|(l, e)| writer.event(l, e).is_err());
            failed || writer.snapshot(snapshot).is_err()
        });
        assert!(failed || writer.end(false).is_err(), "{room}");
        let position = writer.position() as usize;
        assert!(position <= room);
        let (_, told) = read(&disk.0.borrow()[..position]).unwrap();
        assert_eq!(told.loss, Some(Loss::NoEnd), "{room}");
        assert_eq!(told.events.len() as u64, writer.events(), "{room}");
        assert!(told.begins(&whole), "{room}");
    }
}
