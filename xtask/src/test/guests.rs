//! The VM tests: one static program, run on every kernel.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result};

use super::processors::Processors;
use super::settings::Setting;
use super::tally::Tally;
use crate::vm::{STUCK, kernel};
use crate::{build, command, setup, workspace};

/// As many processors as the guests have together that run at a time, for two of our own: with more, none gets done
/// sooner, and what times things fails.
const AT_ONCE: u8 = 4;
/// Ends a kernel's run after so many seconds.
const TIMEOUT: &str = "1800";
/// A guest that goes for no fault of the tests is booted as often in all.
const MOST_BOOTS: u32 = 3;
/// Tells the tests how queue-trace is to attach.
const ATTACH_VARIABLE: &str = "QUEUE_TRACE_TEST_ATTACH";
/// Tells them which part of them to run.
const PART_VARIABLE: &str = "QUEUE_TRACE_TEST_PART";
/// So many tests, the first ones, are left out.
const DONE_VARIABLE: &str = "QUEUE_TRACE_TEST_DONE";

/// Runs the VM tests with these settings.
pub(super) fn test(settings: &[Setting<'_>], filter: Option<&str>) -> Result<Tally> {
    let program = program()?;
    if filter.is_some() && names(&program, filter)?.is_empty() {
        return Ok(Tally::default());
    }
    for setting in settings {
        setup::for_vm(setting.kernel, true)?;
    }
    std::fs::create_dir_all(workspace::cache("logs"))?;
    let waiting = Mutex::new(settings.iter());
    let processors = Processors::new(AT_ONCE);
    // One after the other also where the next one has to wait: else those that need fewer processors pass it by.
    let next = || {
        let mut waiting = waiting.lock().ok()?;
        let setting = waiting.next()?;
        Some((setting, processors.take(setting.cpus)))
    };
    let work = || -> Tally {
        let settings = std::iter::from_fn(next);
        settings.map(|(setting, _taken)| test_on(setting, &program, filter)).sum()
    };
    Ok(std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(Tally::FAILURE)).sum()
    }))
}

/// Builds the test program, and queue-trace for it.
fn program() -> Result<PathBuf> {
    build::guest_programs(&[("guest-init", "xtask"), ("queue-trace", "queue-trace")])?;
    build::guest_tool("hold")?;
    let programs = build::test_programs(build::guest_cargo("test").args([
        "--package",
        "queue-trace",
        "--test",
        "vm",
    ]))
    .context("the VM tests do not build")?;
    let vm = programs.into_iter().find(|(name, _)| name == "vm");
    vm.map(|(_, program)| program).context("cargo did not say where it put the VM tests")
}

/// The tests that a filter lets through.
fn names(program: &Path, filter: Option<&str>) -> Result<Vec<String>> {
    let list = command::text(Command::new(program).arg("--list").args(filter))?;
    Ok(list.lines().filter(|line| line.ends_with(": test")).map(Into::into).collect())
}

/// Runs the tests on one kernel. Whatever keeps them from running is a failure; a guest that went for no fault of theirs is
/// booted again, and goes on where it was.
fn test_on(setting: &Setting<'_>, program: &Path, filter: Option<&str>) -> Tally {
    let start = Instant::now();
    let name = setting.name();
    let log = workspace::cache("logs").join(format!("{}.log", name.replace(['/', ' '], "_")));
    let mut tally = Tally::default();
    for boot in 1.. {
        let log = if boot == 1 { log.clone() } else { log.with_extension(format!("{boot}.log")) };
        let done = tally.passed + tally.failed;
        let error = match follow(setting, program, filter, done, &log) {
            Ok(rest) => {
                tally += rest;
                break;
            }
            Err(error) => error,
        };
        let Some(before) = done_before(&error).filter(|_| boot < MOST_BOOTS) else {
            let reasons = vec![format!("[{name}] error: {error:#}")];
            tally += Tally { reasons, ..Tally::FAILURE };
            break;
        };
        println!("[{name}] {error:#}\n[{name}] booted once more");
        tally += before;
        tally.reasons.push(format!("[{name}] was booted again, see {}", log.display()));
    }
    let release = kernel::release_of(setting.kernel).unwrap_or_default();
    println!("[{name}] {release}, {} s, log in {}", start.elapsed().as_secs(), log.display());
    tally
}

/// Boots the kernel, shows each test's line as it comes, and writes everything into the log; `done` tests are left
/// out.
fn follow(
    setting: &Setting<'_>,
    program: &Path,
    filter: Option<&str>,
    done: u32,
    path: &Path,
) -> Result<Tally> {
    let name = setting.name();
    let mut log = File::options().append(true).create(true).open(truncated(path)?)?;
    let mut guest = Command::new(std::env::current_exe()?)
        .args(["vm", "run", "--no-build", "--timeout", TIMEOUT])
        .args(["--smp", &setting.cpus.to_string()])
        .args(["--kernel", setting.kernel])
        .arg("--copy")
        .arg(format!("{}:/usr/local/bin/vm-tests", program.display()))
        .arg("--copy")
        .arg(format!("{}:/usr/local/bin/hold", build::guest_path("hold").display()))
        .arg("--")
        .arg("env")
        .arg(format!("{ATTACH_VARIABLE}={}", setting.attach))
        .arg(format!("{PART_VARIABLE}={}", setting.part.name()))
        .arg(format!("{DONE_VARIABLE}={done}"))
        .args(setting.before(filter))
        .args(["vm-tests", "--test-threads=1"])
        .args(filter)
        .stdout(Stdio::piped())
        .stderr(log.try_clone()?)
        .spawn()?;
    let output = guest.stdout.take().context("the guest has no output")?;
    let mut result = None;
    let mut began = false;
    let mut so_far = Tally::default();
    let mut reasons = Reasons::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        writeln!(log, "{line}")?;
        if line.starts_with("test ") {
            println!("[{name}] {line}");
        }
        began |= line.starts_with("running ");
        so_far += Tally::of_test(&line);
        reasons.read(&name, &line);
        result = Tally::of_line(&line).or(result);
    }
    let success = guest.wait()?.success();
    let Some(tally) = result else {
        let last = last_lines(path)?;
        anyhow::ensure!(began, NoStart(last));
        anyhow::ensure!(setting.cpus == 1 || !astray(path)?, Astray(so_far, last));
        anyhow::bail!("the tests did not come to their end:\n{last}");
    };
    // What a filter lets through may be none by kprobes, or none with one processor.
    anyhow::ensure!(filter.is_some() || tally != Tally::default(), "no test ran");
    Ok(Tally { reasons: reasons.lines, ..tally.unless_hidden(success) })
}

/// A guest that ended before its tests began: an emulated processor that is held up for long makes some kernels
/// give up when they boot, and booting is not what is tested.
#[derive(Debug, thiserror::Error)]
#[error("the guest ended before the tests began:\n{0}")]
struct NoStart(String);

/// A guest whose kernel died or stood still while the tests ran, because it executed what is no code any more; with
/// what was done before.
#[derive(Debug, thiserror::Error)]
#[error("the guest executed what is no code, after {0}:\n{1}")]
struct Astray(Tally, String);

/// Whether the kernel died like that. Where each processor of a guest has a thread, QEMU before 8.1 may translate code
/// that another processor is just replacing, and keep what it was: the `int3` of a patch that is over (seen with QEMU 7.2
/// in `update_curr` and `security_sock_graft`; QEMU commit deba78709ae8, "accel/tcg: Always lock pages before
/// translation"). The kernel dies of that, or goes back to it for ever, because no `int3` stands there (`exc_int3`). A
/// program of ours could have it die of an access to data: that is not among these, and a failure; and what happens in
/// each of [`MOST_BOOTS`] boots is one always. A setting with two processors met it in two boots of two, in `update_curr` and
/// in `__sys_accept4`.
fn astray(log: &Path) -> Result<bool> {
    let log = std::fs::read(log)?;
    let log = String::from_utf8_lossy(&log);
    let marks = ["int3: 0000 [#1]", "#PF: supervisor instruction fetch", STUCK];
    Ok(marks.iter().any(|mark| log.contains(mark)))
}

/// How much a guest had done that failed for no fault of the tests; nothing is known of other failures.
fn done_before(error: &anyhow::Error) -> Option<Tally> {
    let astray = error.downcast_ref().map(|Astray(done, _)| done.clone());
    astray.or_else(|| error.is::<NoStart>().then(Tally::default))
}

/// As many lines as are shown of a guest that ended too soon.
const LAST_LINES: usize = 12;

/// The end of a log, in which also is what the guest's console said.
fn last_lines(log: &Path) -> Result<String> {
    let text = std::fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
}

/// What the tests print at their end about those that failed: a line `---- name ----` and the message.
#[derive(Default)]
struct Reasons {
    lines: Vec<String>,
    /// How many lines of a message are still wanted.
    left: usize,
}

impl Reasons {
    /// Lines that are kept of each message; the log has all.
    const MOST: usize = 20;

    fn read(&mut self, setting: &str, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            self.left = Self::MOST;
        } else if line == "failures:" {
            self.left = 0;
        }
        if self.left > 0 && !line.is_empty() {
            self.left -= 1;
            self.lines.push(format!("[{setting}] {line}"));
        }
    }
}

/// An empty file: appending to it, two writers do not overwrite each other.
fn truncated(path: &Path) -> Result<&Path> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}
