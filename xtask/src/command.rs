//! Running other programs, with errors that name them.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Runs a program; its output goes to our stderr, because our stdout belongs to what the user asked for.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    succeed(command.stdout(std::io::stderr()))
}

/// As `run`, for programs that only chatter on stdout.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    succeed(command.stdout(Stdio::null()))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}); its messages stand above", line(command));
    }
    Ok(())
}

/// Runs a program and gives back what it printed.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot run `{}`", line(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let last = message.lines().last().unwrap_or("without a message");
        bail!("`{}` failed ({}): {last}", line(command), output.status);
    }
    Ok(output.stdout)
}

/// As `output`, for programs that print text.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&output(command)?).into_owned())
}

/// A program that has to run as root: directly if we are, else through sudo.
pub(crate) fn as_root(program: &str) -> Result<Command> {
    if rustix::process::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    ensure!(
        exists("sudo"),
        "`{program}` has to run as root and there is no sudo: become root first"
    );
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

/// Whether a program of that name is in `PATH`.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    words.join(" ")
}
