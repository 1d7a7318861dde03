//! What the tests of `queue-trace serve` are held against: Prometheus, which scrapes, and VictoriaMetrics, which
//! takes OTLP (Debian builds Prometheus without that). Debian's, unpacked, not installed; their C library comes
//! with them, because the system's may be older.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{apt, suites};
use crate::workspace;

/// The variable by which tests learn of the folder with `prometheus` and `promtool`.
pub(crate) const VARIABLE: &str = "QUEUE_TRACE_PROMETHEUS";
/// The one by which they learn of the receiver of OTLP.
pub(crate) const RECEIVER_VARIABLE: &str = "QUEUE_TRACE_TEST_VICTORIA_METRICS";

/// The suites of Debian that it is taken from.
const SUITES: [&str; 2] = ["trixie", "trixie-security"];

/// The programs, each in the package of its name, and what is needed to run them on an older system.
const PROGRAMS: [&str; 3] = ["prometheus", "promtool", RECEIVER];
const RECEIVER: &str = "victoria-metrics";
const LIBRARIES: [&str; 2] = ["libc6", "libzstd1"];

/// The folder with all of them.
pub(crate) fn folder() -> PathBuf {
    workspace::cache("prometheus")
}

/// The receiver of OTLP.
pub(crate) fn receiver() -> PathBuf {
    folder().join(RECEIVER)
}

/// Fetches it unless it is there.
pub(super) fn ensure() -> Result<()> {
    let folder = folder();
    let is_there = || PROGRAMS.iter().all(|program| folder.join(program).is_file());
    if is_there() {
        return Ok(());
    }
    let work = workspace::cache("apt").join("prometheus");
    std::fs::create_dir_all(&work)?;
    let lock = File::create(work.join("lock"))?;
    lock.lock()?;
    if is_there() {
        return Ok(()); // Somebody else fetched it meanwhile.
    }
    let wanted = PROGRAMS.join(" ");
    apt::need_apt("a folder with these programs in .cache/prometheus", &wanted)?;
    let config = suites::configure(&SUITES, &work)?;
    eprintln!("setup: unpacking {wanted} for tests into {}", folder.display());
    let part = folder.with_extension("new");
    let _ = std::fs::remove_dir_all(&part);
    std::fs::create_dir_all(&part)?;
    for package in PROGRAMS.iter().chain(&LIBRARIES) {
        apt::download(Some(&config), package, &part.join("root").join(package))?;
    }
    for program in PROGRAMS {
        launcher(&part, program)?;
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(&part, &folder).context("cannot move Prometheus to its place")?;
    std::fs::remove_dir_all(work).context("cannot clean up")
}

/// Writes the script that starts a program with the C library that it was built for.
fn launcher(folder: &Path, program: &str) -> Result<()> {
    let [libc, libzstd] = LIBRARIES;
    let script = format!(
        r#"#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
libraries=usr/lib/x86_64-linux-gnu
libc=$root/{libc}/$libraries
exec "$libc/ld-linux-x86-64.so.2" --library-path "$libc:$root/{libzstd}/$libraries" \
    "$root/{program}/usr/bin/{program}" "$@"
"#
    );
    let path = folder.join(program);
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
        .context("cannot make a script executable")
}
