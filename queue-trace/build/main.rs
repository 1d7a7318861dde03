//! Builds the kernel side and puts its object into `OUT_DIR`, from where the library includes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

mod toolchain;

fn main() {
    if let Err(message) = build() {
        // Cargo fails the build for this; an exit status would only bury the line under others.
        println!("cargo::error={message}");
    }
}

fn build() -> Result<(), String> {
    let variable =
        |name| std::env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let manifest = variable("CARGO_MANIFEST_DIR")?;
    let out = variable("OUT_DIR")?;
    let workspace = manifest.parent().ok_or("no workspace folder")?;
    for name in [toolchain::TOOLCHAIN_VARIABLE, toolchain::LINKER_VARIABLE] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let toolchain = toolchain::find(workspace)?;
    let sources = ["queue-trace-ebpf", "queue-trace-common", "Cargo.lock", "Cargo.toml"]
        .map(|source| workspace.join(source));
    // Only paths that exist: cargo runs the script every time when one does not.
    for path in sources.iter().chain([&toolchain.linker, &toolchain.compiler.rustc]) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    // `target/PROFILE/build/PACKAGE/out`: one folder for all features, so that `core` is compiled once.
    let target = out.ancestors().nth(3).unwrap_or(&out).join("ebpf");
    compile(workspace, &toolchain, &target)?;
    let object = target.join("bpfel-unknown-none/release/queue-trace-ebpf");
    let small = without_dwarf(&object).map_err(|error| format!("{}: {error}", object.display()))?;
    std::fs::write(out.join("queue-trace-ebpf"), small)
        .map_err(|error| format!("cannot write the kernel side: {error}"))
}

/// The object without what only a debugger reads, four fifths of it: bpf-linker needs it to make BTF of
/// it, and the kernel's messages need BTF alone.
fn without_dwarf(object: &Path) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(object)?;
    let mut object = Builder::read(bytes.as_slice())?;
    for section in &mut object.sections {
        section.delete |= section.name.windows(6).any(|part| part == b".debug");
    }
    object.delete_orphans();
    // LLVM writes the names of sections among those of symbols, which `object` does not.
    let names = object.sections.add();
    names.name = ".shstrtab".into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    let mut small = Vec::new();
    object.write(&mut small)?;
    Ok(small)
}

fn compile(
    workspace: &Path,
    toolchain: &toolchain::Toolchain,
    target: &Path,
) -> Result<(), String> {
    // aya-ebpf picks its register layout by this cfg; BTF makes map and program names readable.
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH").map_err(|error| error.to_string())?;
    let flags = [
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        // Instructions on halves of registers, which all kernels from 5.1 on know.
        "-Ctarget-cpu=v3".into(),
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
        format!("-Clinker={}", toolchain.linker.display()),
    ];
    let compiler = &toolchain.compiler;
    let output = Command::new(&compiler.cargo)
        .args(["build", "--package=queue-trace-ebpf", "--bins", "--release", "--quiet"])
        .args(["--target=bpfel-unknown-none", "-Zbuild-std=core", "--target-dir"])
        .arg(target)
        .current_dir(workspace)
        .env("RUSTC", &compiler.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .output()
        .map_err(|error| format!("cannot run {}: {error}", compiler.cargo.display()))?;
    if output.status.success() {
        return Ok(());
    }
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        println!("cargo::warning={line}");
    }
    Err("the kernel side does not build; its messages stand above".into())
}
