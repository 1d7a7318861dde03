//! Other suites of Debian than the system's, through apt with a state of its own: the system's apt is
//! only asked which mirror it uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::apt;
use crate::command;

/// Fetches the lists of some suites into a folder; gives the configuration under which apt knows them and
/// nothing of this system.
pub(super) fn configure(suites: &[&str], work: &Path) -> Result<PathBuf> {
    let mirrors = mirrors()?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let signed = match Path::new(keyring).exists() {
        true => format!("[signed-by={keyring}] "),
        false => String::new(),
    };
    let mut sources = String::new();
    for suite in suites {
        let label = if suite.ends_with("-security") { "Debian-Security" } else { "Debian" };
        // A machine without security updates gets what the point release has.
        if let Some((_, uri)) = mirrors.iter().find(|(known, _)| known == label) {
            sources += &format!("deb {signed}{uri} {suite} main\n");
        }
    }
    let place = work.display();
    for folder in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(work.join(folder))?;
    }
    std::fs::write(work.join("status"), "")?;
    std::fs::write(work.join("sources.list"), sources)?;
    let config = work.join("apt.conf");
    let settings = format!(
        r#"Dir::State "{place}"; Dir::State::status "{place}/status"; Dir::State::lists "{place}/lists";
Dir::Cache "{place}/cache"; Dir::Etc::sourcelist "{place}/sources.list"; Dir::Etc::sourceparts "-";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "root"; APT::Architecture "amd64";
"#
    );
    std::fs::write(&config, settings)?;
    command::run(
        Command::new("apt-get").arg("--config-file").arg(&config).args(["update", "--quiet=2"]),
    )?;
    Ok(config)
}

/// Label and address of Debian's mirrors, as this system's apt is set up to use them.
fn mirrors() -> Result<Vec<(String, String)>> {
    let ask = || -> Result<Vec<(String, String)>> {
        let text = command::text(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(LABEL)|$(REPO_URI)",
            "Identifier: Packages",
        ]))?;
        let pairs = text.lines().filter_map(|line| line.split_once('|'));
        Ok(pairs.map(|(label, uri)| (label.into(), uri.into())).collect())
    };
    let has_debian = |found: &[(String, String)]| found.iter().any(|(label, _)| label == "Debian");
    let mut found = ask()?;
    if !has_debian(&found) {
        apt::refresh()?; // Labels stand in the lists, which a fresh machine does not have.
        found = ask()?;
    }
    if !has_debian(&found) {
        bail!("apt has no Debian mirror here, from which other suites could be had");
    }
    Ok(found)
}
