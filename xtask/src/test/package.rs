//! The Debian package, installed and removed in a throw-away copy of this system.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result};

use super::tally::Tally;
use crate::{build, command, dist, setup, vm, workspace};

/// What is done there, and looked at.
const SCRIPT: &str = include_str!("package.sh");

/// Runs the tests; all or, with a filter that their names do not have, none.
pub(super) fn test(filter: Option<&str>) -> Result<Tally> {
    if filter.is_some_and(|filter| !"package".contains(filter)) {
        return Ok(Tally::default());
    }
    setup::for_package()?;
    build::guest_programs(&[("queue-trace", "queue-trace")])?;
    let program = build::guest_path("queue-trace");
    let package = |suffix: &str| {
        let version = format!("{}~{suffix}", dist::version());
        dist::package(&program, &version, &dist::folder())
    };
    let (first, second) = (package("test1")?, package("test2")?);
    let room = workspace::cache("room");
    std::fs::create_dir_all(&room)?;
    let mut shell = command::as_root("unshare")?
        .args(["--mount", "--net", "sh", "-c", SCRIPT, "package.sh"])
        .args([&room, &vm::busybox(), &first, &second])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run unshare")?;
    let output = shell.stdout.take().context("the shell has no output")?;
    let mut tally = None;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        tally = Tally::of_line(&line).or(tally);
    }
    let success = shell.wait()?.success();
    Ok(tally.context("the package's tests did not come to their end")?.unless_hidden(success))
}
