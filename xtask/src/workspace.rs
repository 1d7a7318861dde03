//! Where things are in the project's folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// A place in the project's own cache, which nothing else on the machine uses.
pub(crate) fn cache(name: &str) -> PathBuf {
    root().join(".cache").join(name)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us, working in the project's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or(OsString::from("cargo")));
    command.current_dir(root());
    command
}
