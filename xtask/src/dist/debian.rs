//! The Debian package: a tree, a control file and maintainer scripts, put together by `dpkg-deb`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::tree::{self, copy, copy_all, write};
use crate::{command, workspace};

/// Where man pages and completions go, by the ending of their names.
const COMPLETIONS: [(&str, &str); 3] = [
    ("queue-trace.bash", "usr/share/bash-completion/completions/queue-trace"),
    ("_queue-trace", "usr/share/zsh/vendor-completions/_queue-trace"),
    ("queue-trace.fish", "usr/share/fish/vendor_completions.d/queue-trace.fish"),
];

/// Parts of the fleet folder that are documentation to a package.
const DOCUMENTS: [&str; 3] = ["Containerfile", "kubernetes/daemonset.yaml", "metrics.md"];
/// Parts of it that other programs are given.
const SHARED: [&str; 2] = ["alerts.yaml", "dashboard.json"];

/// The user's own file, which an upgrade leaves alone.
const CONFIGURATION: &str = "etc/queue-trace/queue-trace.toml";

/// Makes a package of this program, which is static, in a folder; gives its path.
pub(crate) fn package(program: &Path, version: &str, folder: &Path) -> Result<PathBuf> {
    ensure!(
        command::exists("dpkg-deb"),
        "no dpkg-deb here: make the Debian package on Debian, or install dpkg"
    );
    let root = folder.join(format!("queue-trace_{version}_amd64"));
    tree::fresh(&root)?;
    copy(program, &root.join("usr/bin/queue-trace"), 0o755)?;
    let fleet = tree::fleet();
    let unit = root.join("usr/lib/systemd/system/queue-trace.service");
    copy(&fleet.join("queue-trace.service"), &unit, 0o644)?;
    copy(&fleet.join("queue-trace.toml"), &root.join(CONFIGURATION), 0o644)?;
    documents(&root)?;
    manual(&root)?;
    control(&root, version)?;
    let archive =
        root.with_extension("").with_file_name(format!("queue-trace_{version}_amd64.deb"));
    command::run_quietly(
        Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&root).arg(&archive),
    )?;
    Ok(archive)
}

fn documents(root: &Path) -> Result<()> {
    let (fleet, to) = (tree::fleet(), root.join("usr/share/doc/queue-trace"));
    copy(&fleet.join("debian/copyright"), &to.join("copyright"), 0o644)?;
    for text in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"] {
        copy(&workspace::root().join(text), &to.join(text), 0o644)?;
    }
    DOCUMENTS
        .iter()
        .try_for_each(|name| copy(&fleet.join(name), &to.join("fleet").join(name), 0o644))?;
    let shared = root.join("usr/share/queue-trace");
    SHARED.iter().try_for_each(|name| copy(&fleet.join(name), &shared.join(name), 0o644))
}

/// Man pages are compressed, as Debian wants them.
fn manual(root: &Path) -> Result<()> {
    let generated = super::generated()?;
    let pages = root.join("usr/share/man/man1");
    copy_all(&generated.join("man"), &pages)?;
    for page in tree::files(&pages)? {
        command::run(Command::new("gzip").args(["-9", "--no-name"]).arg(pages.join(page)))?;
    }
    COMPLETIONS.iter().try_for_each(|(name, to)| {
        copy(&generated.join("completions").join(name), &root.join(to), 0o644)
    })
}

fn control(root: &Path, version: &str) -> Result<()> {
    let (fleet, to) = (tree::fleet().join("debian"), root.join("DEBIAN"));
    let size: u64 = tree::files(root)?
        .iter()
        .filter_map(|path| Some(root.join(path).metadata().ok()?.len().div_ceil(1024)))
        .sum();
    let text = format!(
        "Package: queue-trace\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: queue-trace <queue-trace@localhost>\n\
         Section: net\n\
         Priority: optional\n\
         Installed-Size: {size}\n\
         Description: {}\n \
         Counts in the kernel, for each TCP listener and exactly, what becomes of every SYN,\n \
         every final ACK, every SYN cookie and every accept(), and shows it as events, as a\n \
         table, to Prometheus and over OTLP. The program is static and needs nothing else.\n",
        "which TCP listener refuses connections, why, and what to change"
    );
    write(&to.join("control"), text, 0o644)?;
    write(&to.join("conffiles"), format!("/{CONFIGURATION}\n"), 0o644)?;
    ["postinst", "prerm", "postrm"]
        .iter()
        .try_for_each(|script| copy(&fleet.join(script), &to.join(script), 0o755))
}
