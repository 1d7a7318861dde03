//! Kernel modules that guests load, found in a kernel's tree with what they depend on.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::busybox;

/// What guests load: the ports to the host, the list of sockets, and what tests build networks from.
pub(crate) const WANTED: &[&str] = &[
    "virtio_pci",
    "virtio_console",
    "tcp_diag",
    "inet_diag",
    "tcp_diag",
    "veth",
    "dummy",
    "sch_netem",
    "tun",
];

/// Finds the wanted modules below a folder, each after those it depends on, uncompressed. One that
/// is not there is built into the kernel or unknown to it.
pub(crate) fn collect(tree: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut paths = HashMap::new();
    list(tree, &mut paths)?;
    let mut found = Vec::new();
    for name in WANTED {
        add(name, &paths, &mut found)?;
    }
    Ok(found)
}

fn list(folder: &Path, paths: &mut HashMap<String, PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, paths)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            paths.insert(name.replace('-', "_"), path);
        }
    }
    Ok(())
}

fn add(
    name: &str,
    paths: &HashMap<String, PathBuf>,
    found: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    let file = format!("{name}.ko");
    let Some(path) = paths.get(name).filter(|_| found.iter().all(|(known, _)| *known != file))
    else {
        return Ok(());
    };
    let content = uncompressed(path)?;
    for dependency in dependencies(&content) {
        add(&dependency, paths, found)?;
    }
    found.push((file, content));
    Ok(())
}

/// The names in the `depends=` entry of a module's `.modinfo` section.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module[at + KEY.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

fn uncompressed(path: &Path) -> Result<Vec<u8>> {
    let content = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let applet = match path.extension().unwrap_or_default().to_string_lossy().as_ref() {
        "xz" => "unxz",
        "gz" => "gunzip",
        "zst" => return through(Command::new("zstd").arg("-dc"), content),
        _ => return Ok(content),
    };
    through(Command::new(busybox()).args([applet, "-c"]), content)
}

/// Passes bytes through a program.
fn through(command: &mut Command, input: Vec<u8>) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let stdin = child.stdin.take();
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child.wait_with_output()?;
    let _ = writer.join();
    anyhow::ensure!(output.status.success(), "{program} cannot uncompress a module");
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn dependencies_are_read_off_the_module() {
        let module = b"\0license=GPL\0depends=virtio_ring,virtio-pci\0name=x\0";
        assert_eq!(dependencies(module), ["virtio_ring", "virtio_pci"]);
        assert!(dependencies(b"\0depends=\0name=x\0").is_empty());
        assert!(dependencies(b"\0name=x\0").is_empty());
    }
}
