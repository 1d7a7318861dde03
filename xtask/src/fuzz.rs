//! `cargo xtask fuzz`: feeds the decoders whatever a fuzzer finds.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::{build, setup, workspace};

/// What is fuzzed, and where inputs are that the fuzzer begins with.
pub(crate) const TARGETS: [(&str, &str); 5] = [
    ("btf", "queue-trace/src/kernel/btf/tests/data"),
    ("configuration", "queue-trace/fuzz/seeds/configuration"),
    ("counters", "queue-trace/fuzz/seeds/counters"),
    ("record", "queue-trace/fuzz/seeds/record"),
    ("recording", "queue-trace/tests/recording"),
];

/// Longer is no input looked at before it is called a failure.
const TIMEOUT: &str = "-timeout=20";
/// Nothing that is decoded needs more megabytes.
const MEMORY: &str = "-rss_limit_mb=1024";

/// Fuzzes the decoders, guided by which code runs; sets up first
///
/// What was found stays in .cache/fuzz, and the next run begins with it.
///
/// Examples:
///   cargo xtask fuzz                           all targets, a minute each
///   cargo xtask fuzz recording --seconds 3600
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Instead of all targets
    #[arg(value_name = "TARGET", value_parser = TARGETS.map(|(name, _)| name))]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    setup::for_build()?;
    let wanted = |name: &str| {
        arguments.targets.is_empty() || arguments.targets.iter().any(|target| target == name)
    };
    let programs = programs()?;
    for (name, seeds) in TARGETS.iter().filter(|(name, _)| wanted(name)) {
        let done = fuzz(&programs, name, seeds, arguments.seconds)?;
        println!("{name}: {done}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the targets; their programs by name.
pub(crate) fn programs() -> Result<HashMap<String, PathBuf>> {
    setup::for_fuzz()?;
    let programs = build::test_programs(
        workspace::cargo()
            .args(["test", "--quiet", "--test=fuzz-*", "--features=queue-trace-fuzz/fuzzer"])
            .env("RUSTC_WORKSPACE_WRAPPER", workspace::root().join("queue-trace/fuzz/rustc.sh")),
    )
    .context("the fuzz targets do not build")?;
    let target = |(name, program): (String, _)| Some((name.strip_prefix("fuzz-")?.into(), program));
    Ok(programs.into_iter().filter_map(target).collect())
}

/// Runs a target for so long, and says in a few words what it did.
pub(crate) fn fuzz(
    programs: &HashMap<String, PathBuf>,
    name: &str,
    seeds: &str,
    seconds: u32,
) -> Result<String> {
    let program = programs.get(name).with_context(|| format!("no program for {name}"))?;
    let folder = workspace::cache("fuzz").join(name);
    let (corpus, failed) = (folder.join("corpus"), folder.join("failed"));
    let log = workspace::cache("logs").join(format!("fuzz-{name}.log"));
    for folder in [&corpus, &failed, &workspace::cache("logs")] {
        fs::create_dir_all(folder)?;
    }
    let status = Command::new(program)
        .args([&corpus, &failed, &workspace::root().join(seeds)])
        .arg(format!("-artifact_prefix={}/", failed.display()))
        .arg(format!("-max_total_time={seconds}"))
        .args([TIMEOUT, MEMORY])
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !status.success() {
        bail!(
            "an input fails ({status}); it is kept in {}: log in {}",
            failed.display(),
            log.display()
        );
    }
    summary(&log)
}

/// The fuzzer's last line, `Done 4711 runs in 5 second(s)`.
fn summary(log: &Path) -> Result<String> {
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let done = text.lines().rev().find_map(|line| line.strip_prefix("Done "));
    done.map(Into::into)
        .with_context(|| format!("the fuzzer did not end: log in {}", log.display()))
}
