//! Where to find a Rust toolchain that can build `core` for `bpfel-unknown-none`, and `bpf-linker`.
//!
//! Used by the build script and, through `#[path]`, by `cargo xtask setup`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names a rustup toolchain, or a folder that holds `bin/cargo` and `bin/rustc`.
pub(crate) const TOOLCHAIN_VARIABLE: &str = "QUEUE_TRACE_EBPF_TOOLCHAIN";
/// Path of the `bpf-linker` to use.
pub(crate) const LINKER_VARIABLE: &str = "QUEUE_TRACE_BPF_LINKER";

/// What builds the kernel side.
#[derive(Debug, Clone)]
pub(crate) struct Toolchain {
    /// Compiles it.
    pub(crate) compiler: Compiler,
    /// `bpf-linker`, which links it.
    pub(crate) linker: PathBuf,
}

/// A Rust toolchain with the source of `core`.
#[derive(Debug, Clone)]
pub(crate) struct Compiler {
    /// `cargo` to run.
    pub(crate) cargo: PathBuf,
    /// `rustc` that it has to use.
    pub(crate) rustc: PathBuf,
    /// Major version of the LLVM inside `rustc`.
    pub(crate) llvm: u32,
}

/// Finds the toolchain, or says in one line what is missing.
pub(crate) fn find(workspace: &Path) -> Result<Toolchain, String> {
    let add_remedy = |problem| format!("{problem}: run `cargo xtask setup`");
    let linker = linker(workspace).map_err(add_remedy)?;
    let newest = linker_llvm(&linker).unwrap_or(u32::MAX);
    let compiler = compiler(newest).map_err(add_remedy)?;
    Ok(Toolchain { compiler, linker })
}

/// The first toolchain that has the source of `core` and whose LLVM is not newer than `newest_llvm`,
/// because a linker cannot read bitcode from the future.
pub(crate) fn compiler(newest_llvm: u32) -> Result<Compiler, String> {
    if let Some(wanted) = std::env::var_os(TOOLCHAIN_VARIABLE) {
        let compiler = chosen_prefix(&wanted).and_then(|prefix| compiler_in(&prefix));
        return match compiler {
            Some(compiler) if compiler.llvm <= newest_llvm => Ok(compiler),
            Some(compiler) => Err(format!(
                "{TOOLCHAIN_VARIABLE} has LLVM {}, bpf-linker only LLVM {newest_llvm}",
                compiler.llvm
            )),
            None => Err(format!(
                "{TOOLCHAIN_VARIABLE}={} is no Rust toolchain with rust-src",
                wanted.display()
            )),
        };
    }
    nightlies()
        .into_iter()
        .chain([PathBuf::from("/usr")])
        .filter_map(|prefix| compiler_in(&prefix))
        .find(|compiler| compiler.llvm <= newest_llvm)
        .ok_or_else(|| "no Rust toolchain that can build the kernel side".into())
}

/// The `bpf-linker` of the environment, of the project's cache or of `PATH`.
pub(crate) fn linker(workspace: &Path) -> Result<PathBuf, String> {
    if let Some(chosen) = std::env::var_os(LINKER_VARIABLE).map(PathBuf::from) {
        return match runs(&chosen) {
            true => Ok(chosen),
            false => Err(format!("{LINKER_VARIABLE}={} does not run", chosen.display())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(workspace.join(".cache/bpf-linker/bin"))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("bpf-linker"))
        .find(|linker| linker.exists() && runs(linker))
        .ok_or_else(|| "no bpf-linker for the kernel side".into())
}

/// Whether the linker starts: it does not when the LLVM library it was linked with is gone.
fn runs(linker: &Path) -> bool {
    Command::new(linker)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// LLVM major of a dynamically linked `bpf-linker`, read off the library it needs: the linker does
/// not tell. A static one is taken as it is.
fn linker_llvm(linker: &Path) -> Option<u32> {
    const NEEDED: &[u8] = b"\0libLLVM.so.";
    let bytes = std::fs::read(linker).ok()?;
    let start = bytes.windows(NEEDED.len()).position(|window| window == NEEDED)? + NEEDED.len();
    leading_number(&String::from_utf8_lossy(bytes.get(start..start + 4)?))
}

/// Folders of rustup's nightly toolchains.
fn nightlies() -> Vec<PathBuf> {
    let Some(folder) = rustup_toolchains() else { return Vec::new() };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("nightly"))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// The folder that the environment variable means: itself, or a rustup toolchain of that name.
fn chosen_prefix(wanted: &OsString) -> Option<PathBuf> {
    if Path::new(wanted).is_absolute() {
        return Some(PathBuf::from(wanted));
    }
    let name = wanted.to_string_lossy();
    std::fs::read_dir(rustup_toolchains()?).ok()?.flatten().map(|entry| entry.path()).find(|path| {
        let folder = path.file_name().unwrap_or_default().to_string_lossy();
        folder == name || folder.starts_with(&format!("{name}-"))
    })
}

/// Looked up by hand, because asking rustup takes longer than everything else here.
fn rustup_toolchains() -> Option<PathBuf> {
    std::env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".rustup")))
        .map(|home| home.join("toolchains"))
}

/// The toolchain in a folder, if it is complete.
fn compiler_in(prefix: &Path) -> Option<Compiler> {
    let [cargo, rustc] = ["cargo", "rustc"].map(|name| prefix.join("bin").join(name));
    let core = prefix.join("lib/rustlib/src/rust/library/core");
    if ![&cargo, &rustc, &core].iter().all(|path| path.exists()) {
        return None;
    }
    let output = Command::new(&rustc).arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let llvm = leading_number(text.lines().find_map(|line| line.strip_prefix("LLVM version: "))?)?;
    Some(Compiler { cargo, rustc, llvm })
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
