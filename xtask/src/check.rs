//! `cargo xtask check`: what has to be clean before a commit.

use std::process::ExitCode;

use anyhow::Result;

use crate::{command, setup, workspace};

/// Checks formatting, lints and documentation
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    command::run(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    setup::for_fuzz()?;
    // The scenarios are no test here, so that "all" leaves them out; so are the fuzz targets. Without features only
    // the program: tests may take those for granted.
    let scenarios = ["--package=queue-trace", "--test=vm"];
    let bare = ["--package=queue-trace", "--no-default-features"];
    let fuzz = ["--package=queue-trace-fuzz", "--features=fuzzer", "--tests"];
    for what in [&["--all-targets"][..], &scenarios, &fuzz, &bare] {
        let lints = ["--", "-Dwarnings"];
        command::run(workspace::cargo().args(["clippy", "--quiet"]).args(what).args(lints))?;
    }
    command::run(
        workspace::cargo().args(["doc", "--quiet", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings"),
    )?;
    Ok(ExitCode::SUCCESS)
}
