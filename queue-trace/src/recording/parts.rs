//! The files of one recording, found by one of them.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::files::numbered;
use super::header::Header;
use super::reader::{Error, Reader};

/// A file of a recording.
pub type Part = Reader<BufReader<File>>;

/// Opens a recording that may be of several files, in the order in which they were written. `FILE`, which the
/// recorder was given, stands for all that are left of it; `FILE.2`, one that was moved away, for itself and those
/// that were written later.
///
/// # Errors
///
/// When the file itself cannot be read. What lies beside it and is no part of the recording is left alone.
pub fn open_parts(path: &Path) -> Result<Vec<Part>, Error> {
    let given = open(path)?;
    let (name, number) = split(path);
    let wanted = |part: &Part| {
        let (header, given) = (part.header(), given.header());
        is_same(header, given)
            && if number.is_some() { header.part > given.part } else { header.part < given.part }
    };
    let others = beside(&name, path).into_iter().filter_map(|path| open(&path).ok());
    let mut parts: Vec<_> = others.filter(wanted).collect();
    parts.push(given);
    parts.sort_by_key(|part| part.header().part);
    Ok(parts)
}

fn open(path: &Path) -> Result<Part, Error> {
    Reader::new(BufReader::new(File::open(path)?))
}

/// Whether both are of one run of one recorder.
fn is_same(one: &Header, other: &Header) -> bool {
    (one.start_ns, one.wall, &one.host) == (other.start_ns, other.wall, &other.host)
}

/// `FILE.2` as `FILE` and 2, another name as itself.
fn split(path: &Path) -> (PathBuf, Option<usize>) {
    let number = path.extension().and_then(|end| end.to_str()?.parse().ok());
    let name = if number.is_some() { path.with_extension("") } else { path.to_owned() };
    (name, number)
}

/// `FILE` and all `FILE.N` that are there, but for the one that was given.
fn beside(name: &Path, given: &Path) -> Vec<PathBuf> {
    let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| split(Path::new(&entry.file_name())).1;
    let older = entries.filter_map(number).map(|number| numbered(name, number));
    let mut all: Vec<_> = older.filter(|path| path.is_file()).collect();
    all.push(name.to_owned());
    all.sort();
    all.dedup();
    all.retain(|path| path != given);
    all
}
