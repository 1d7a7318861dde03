//! A headless Chromium, which the tests of `queue-trace report` look at pages with.

use std::path::PathBuf;

use anyhow::Result;

use super::apt;
use crate::command;

/// The variable by which tests learn of it.
pub(crate) const VARIABLE: &str = "QUEUE_TRACE_CHROMIUM";

/// Its names, the smallest first; Debian's packages are called as their programs.
const NAMES: [&str; 2] = ["chromium-headless-shell", "chromium"];

/// The one that is there.
pub(crate) fn program() -> PathBuf {
    NAMES.into_iter().find(|name| command::exists(name)).unwrap_or(NAMES[0]).into()
}

/// Installs it unless one is there.
pub(super) fn ensure() -> Result<()> {
    if NAMES.into_iter().any(command::exists) {
        return Ok(());
    }
    let package = NAMES.into_iter().find(|name| apt::knows(name)).unwrap_or(NAMES[0]);
    apt::install("a browser for tests", &[package])
}
