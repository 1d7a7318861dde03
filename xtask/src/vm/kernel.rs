//! A kernel to boot.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::modules;
use crate::setup::kernels;

/// A bootable image and its modules.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// `vmlinuz`.
    pub(crate) image: PathBuf,
    /// Name and content of each module, in the order in which they load.
    pub(crate) modules: Vec<(String, Vec<u8>)>,
}

/// Finds a kernel by series, or by the path of its image.
pub(crate) fn find(name: &str) -> Result<Kernel> {
    let image = image(name);
    let beside = image.parent().unwrap_or(Path::new("."));
    if is_stored(beside) {
        return in_folder(beside);
    }
    let release = release(&image)?;
    let modules = [
        beside.join("kernel"),
        beside.join("../lib/modules").join(&release),
        Path::new("/lib/modules").join(&release),
    ]
    .iter()
    .find(|tree| tree.is_dir())
    .map_or_else(|| Ok(Vec::new()), |tree| modules::collect(tree))?;
    Ok(Kernel { image, modules })
}

/// The full name of a kernel's release, as `uname -r` prints it.
pub(crate) fn release_of(name: &str) -> Result<String> {
    release(&image(name))
}

/// Where a kernel's image is, once it is fetched.
fn image(name: &str) -> PathBuf {
    match kernels::series(name) {
        Some(_) => kernels::folder(name).join("vmlinuz"),
        None => PathBuf::from(name),
    }
}

/// Reads a kernel as `store` wrote it.
fn in_folder(folder: &Path) -> Result<Kernel> {
    let read = |name: &str| {
        std::fs::read(folder.join("modules").join(name))
            .with_context(|| format!("{} is damaged: remove it", folder.display()))
    };
    let load = String::from_utf8_lossy(&read("load")?).into_owned();
    let modules =
        load.lines().map(|name| Ok((name.into(), read(name)?))).collect::<Result<Vec<_>>>()?;
    Ok(Kernel { image: folder.join("vmlinuz"), modules })
}

/// Whether `store` wrote that folder with the modules that guests want today.
pub(crate) fn is_stored(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("modules/wanted"))
        .is_ok_and(|wanted| wanted == modules::WANTED.join(" "))
}

/// Writes what `in_folder` reads: image, release name, and the modules below `tree` that guests want.
pub(crate) fn store(image: &Path, tree: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("modules"))?;
    std::fs::copy(image, folder.join("vmlinuz"))?;
    std::fs::write(folder.join("release"), release(image)?)?;
    let mut load = String::new();
    for (name, content) in modules::collect(tree)? {
        std::fs::write(folder.join("modules").join(&name), content)?;
        load += &name;
        load.push('\n');
    }
    std::fs::write(folder.join("modules/load"), load)?;
    std::fs::write(folder.join("modules/wanted"), modules::WANTED.join(" "))?;
    Ok(())
}

/// The release that an x86 image names in its header (kernel: `Documentation/arch/x86/boot.rst`).
fn release(image: &Path) -> Result<String> {
    let problem = || format!("{} is no x86 kernel image", image.display());
    let file = std::fs::File::open(image).with_context(problem)?;
    let mut header = [0; 0x210];
    file.read_exact_at(&mut header, 0).with_context(problem)?;
    if header[0x202..0x206] != *b"HdrS" {
        bail!(problem());
    }
    let offset = u16::from_le_bytes([header[0x20e], header[0x20f]]);
    let mut text = [0; 128];
    file.read_exact_at(&mut text, u64::from(offset) + 0x200).with_context(problem)?;
    let end = text.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(text.len());
    Ok(String::from_utf8_lossy(&text[..end]).into_owned())
}
