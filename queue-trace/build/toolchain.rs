//! Where to find a Rust toolchain that can build `core` for `bpfel-unknown-none`, and `bpf-linker`.
//!
//! Used by the build script and, through `#[path]`, by `cargo xtask setup`.

use std::path::{Path, PathBuf};

/// A toolchain for the kernel side.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    /// `cargo` to run.
    pub(crate) cargo: PathBuf,
    /// `rustc` that it has to use.
    pub(crate) rustc: PathBuf,
    /// `bpf-linker`.
    pub(crate) linker: PathBuf,
}

/// Finds the toolchain, or says in one line what is missing.
pub(crate) fn find(workspace: &Path) -> Result<Toolchain, String> {
    let linker = workspace.join(".cache/bpf-linker/bin/bpf-linker");
    if !Path::new("/usr/lib/rustlib/src/rust/library/core").exists() || !linker.exists() {
        return Err("no toolchain for the kernel side: run `cargo xtask setup`".into());
    }
    Ok(Toolchain { cargo: "/usr/bin/cargo".into(), rustc: "/usr/bin/rustc".into(), linker })
}
