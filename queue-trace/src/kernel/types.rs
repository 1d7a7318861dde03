//! The types of the running kernel: as it shows them, or from a file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::btf::{Btf, BtfError};

/// Of so many functions in a file one may be unknown to the kernel it belongs to: 56 of 51,797 are on
/// Linux 7.2, none on 6.12 and before. Of those of 7.2, one in 190 is unknown to 7.3.
const TOLERANCE: usize = 500;

/// Why the kernel's types are not known; one line each.
#[derive(Debug, thiserror::Error)]
pub enum TypesError {
    /// They cannot be read.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A file does not hold them.
    #[error("{file}: {cause}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        cause: BtfError,
    },
    /// A file describes another kernel.
    #[error(
        "{file} is not of the running kernel: {missing} of the {all} functions in it do not exist here"
    )]
    Foreign {
        /// The file.
        file: String,
        /// How many functions the running kernel does not have.
        missing: usize,
        /// How many there are in the file.
        all: usize,
    },
}

/// Reads the running kernel's types, from `file` if one is given.
///
/// # Errors
///
/// When there are none, or the file's are those of another kernel. Where `/proc/kallsyms` is not
/// there, that cannot be seen.
pub fn read(file: Option<&Path>) -> Result<Btf, TypesError> {
    let Some(path) = file else { return Ok(Btf::from_kernel()?) };
    let file = || path.display().to_string();
    let btf = Btf::from_file(path).map_err(|error| match error {
        // These name the file themselves.
        BtfError::Read { .. } | BtfError::NoSection { .. } => error.into(),
        cause => TypesError::File { file: file(), cause },
    })?;
    let Ok(symbols) = File::open("/proc/kallsyms").map(BufReader::new).and_then(names) else {
        return Ok(btf);
    };
    let (missing, all) = unknown(&btf, &symbols);
    if missing > all / TOLERANCE {
        return Err(TypesError::Foreign { file: file(), missing, all });
    }
    Ok(btf)
}

/// How many functions of `btf` are not among the symbols, and how many it has.
fn unknown(btf: &Btf, symbols: &HashSet<Box<[u8]>>) -> (usize, usize) {
    btf.function_names().fold((0, 0), |(missing, all), name| {
        (missing + usize::from(!symbols.contains(name)), all + 1)
    })
}

/// The names in `/proc/kallsyms`, without what the compiler appends (`.isra.0`).
fn names(symbols: impl BufRead) -> io::Result<HashSet<Box<[u8]>>> {
    let mut names = HashSet::new();
    for line in symbols.split(b'\n') {
        let line = line?;
        // "ffffffff81a0e0c0 t tcp_rtx_synack.part.0"
        let name = line.split(|byte| *byte == b' ').nth(2).unwrap_or_default();
        names.extend(name.split(|byte| matches!(byte, b'.' | b'\t')).next().map(Box::from));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &[u8] = b"0000000000000000 T tcp_conn_request\n\
                             0000000000000000 t tcp_check_req.part.0\n\
                             0000000000000000 t veth_xmit\t[veth]\n";

    #[test]
    fn names_stand_without_what_follows_them() {
        let names = names(SYMBOLS).unwrap();
        for name in ["tcp_conn_request", "tcp_check_req", "veth_xmit"] {
            assert!(names.contains(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn functions_that_do_not_exist_here_are_counted() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernel/btf/tests/data/linux-6.12.btf");
        let btf = Btf::from_file(file).unwrap();
        let all: HashSet<Box<[u8]>> = btf.function_names().map(Box::from).collect();
        assert_eq!(unknown(&btf, &all), (0, all.len()));
        let (missing, count) = unknown(&btf, &names(SYMBOLS).unwrap());
        assert_eq!(missing, count - 2);
    }
}
