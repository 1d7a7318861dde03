//! A Python with packages of ours, in a folder of its own: DuckDB, by which tests read what `queue-trace export`
//! wrote, and Kubernetes' published schemas, against which our manifests are checked.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::{command, workspace};

/// The variable by which tests learn of the interpreter.
pub(crate) const VARIABLE: &str = "QUEUE_TRACE_PYTHON";

/// Where it is written down what it has.
const LIST: &str = "packages";
/// What it has beside its own.
const PACKAGES: &[&str] = &["duckdb", "kubernetes-validate==1.37.0"];

/// The interpreter.
pub(crate) fn interpreter() -> PathBuf {
    workspace::cache("python").join("bin/python")
}

/// Whether it is there, with all packages.
fn complete() -> bool {
    let list = workspace::cache("python").join(LIST);
    std::fs::read_to_string(list).is_ok_and(|list| list == PACKAGES.join("\n"))
}

/// Makes it unless it is there.
pub(super) fn ensure() -> Result<()> {
    if complete() {
        return Ok(());
    }
    let folder = workspace::cache("python");
    let part = folder.with_extension("new");
    std::fs::create_dir_all(workspace::cache(""))?;
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    if complete() {
        return Ok(()); // Somebody else made it meanwhile.
    }
    if !command::exists("python3") {
        apt::install("Python for tests", &["python3", "python3-venv"])?;
    }
    eprintln!("setup: making a Python for tests in {}", folder.display());
    let _ = std::fs::remove_dir_all(&part);
    let make = || command::run_quietly(Command::new("python3").args(["-m", "venv"]).arg(&part));
    if make().is_err() {
        // Debian has it apart from Python.
        apt::install("virtual environments of Python for tests", &["python3-venv"])?;
        make()?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    command::run_quietly(Command::new(part.join("bin/python")).args(pip).args(PACKAGES))
        .with_context(|| format!("cannot install {} for Python", PACKAGES.join(" and ")))?;
    std::fs::write(part.join(LIST), PACKAGES.join("\n"))?;
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::rename(&part, &folder).context("cannot move Python to its place")
}
