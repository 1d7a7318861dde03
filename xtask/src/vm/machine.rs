//! QEMU: starts a guest, and follows it until its command has ended.
//!
//! Guest and host talk over socket pairs and the initramfs lies in memory: there are no temporary
//! files, any number of machines can run at once, and none outlives us.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::Run;

/// What is said of a guest with a processor that does not get on.
pub(crate) const STUCK: &str = "a processor of the guest is stuck";

/// How many lines of the console are shown when a guest dies.
const LAST_LINES: usize = 120;

/// A running guest.
#[derive(Debug)]
pub(super) struct Machine {
    qemu: Child,
    events: Receiver<(Channel, Vec<u8>)>,
}

/// What bytes from the guest are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Stdout,
    Stderr,
    Control,
    Console,
    /// QEMU's own messages.
    Qemu,
}

impl Channel {
    /// The channels with a virtio port, and its name in the guest.
    const PORTS: [(Self, &str); 3] =
        [(Self::Stdout, "stdout"), (Self::Stderr, "stderr"), (Self::Control, "control")];
}

/// What the guest says when the command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Report {
    code: u8,
    stdout: u64,
    stderr: u64,
}

impl Machine {
    /// Starts QEMU.
    pub(super) fn start(run: &Run, image: &Path, initramfs: &File) -> Result<Self> {
        let mut command = command(run, image, initramfs);
        let (sender, events) = sync_channel(16);
        let mut guest_ends = Vec::new();
        let mut connect = |channel, name: &str| -> Result<String> {
            let (host, guest) = UnixStream::pair()?;
            fcntl_setfd(&guest, FdFlags::empty())?;
            forward(channel, host, sender.clone());
            let argument = format!("socket,id={name},fd={}", guest.as_raw_fd());
            guest_ends.push(OwnedFd::from(guest));
            Ok(argument)
        };
        command.args(["-chardev", &connect(Channel::Console, "console")?]);
        command.args(["-serial", "chardev:console", "-device", "virtio-serial-pci"]);
        for (channel, name) in Channel::PORTS {
            command.args(["-chardev", &connect(channel, name)?, "-device"]);
            command.arg(format!("virtserialport,chardev={name},name={name}"));
        }
        // SAFETY: prctl is async-signal-safe and touches no memory of ours.
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let mut qemu = command.spawn().context("cannot start qemu-system-x86_64")?;
        if let Some(stderr) = qemu.stderr.take() {
            forward(Channel::Qemu, stderr, sender);
        }
        Ok(Self { qemu, events })
    }

    /// Hands the command's output through until it has ended, and gives its exit status.
    pub(super) fn wait(self, timeout: Duration, show_console: bool) -> Result<u8> {
        let deadline = Instant::now() + timeout;
        let (mut console, mut control) = (VecDeque::new(), Vec::new());
        let (mut stdout, mut stderr) = (0, 0);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok((Channel::Stdout, bytes)) => {
                    stdout += bytes.len() as u64;
                    if !deliver(std::io::stdout(), &bytes)? {
                        return Ok(0); // Nobody reads any more, as in `… | head`.
                    }
                }
                Ok((Channel::Stderr, bytes)) => {
                    stderr += bytes.len() as u64;
                    deliver(std::io::stderr(), &bytes)?;
                }
                Ok((Channel::Control, bytes)) => control.extend(bytes),
                Ok((Channel::Console | Channel::Qemu, bytes)) => {
                    if show_console {
                        deliver(std::io::stderr(), &bytes)?;
                    }
                    console.extend(bytes);
                    console.drain(..console.len().saturating_sub(1 << 16));
                    if is_stuck(&console) {
                        bail!("{STUCK}, see its console:{}", last_lines(&console));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "the guest was still running after {} s and was ended; see --timeout{}",
                        timeout.as_secs(),
                        last_lines(&console)
                    );
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the guest died, see its console:{}", last_lines(&console));
                }
            }
            if let Some(report) = parse(&control)
                && (stdout, stderr) == (report.stdout, report.stderr)
            {
                return Ok(report.code);
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn command(run: &Run, image: &Path, initramfs: &File) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    // Instructions are counted by one thread, which runs the processors in turn.
    let threads = if run.smp > 1 && !run.icount { "multi" } else { "single" };
    let console = if run.console { "" } else { " quiet" };
    // What is attached is taken away in a tenth of the time; where instructions are counted, all is as usual.
    let rcu = if run.icount { "" } else { " rcupdate.rcu_expedited=1" };
    // TCG steps through string instructions byte by byte, which takes a third of loading programs. Where instructions are
    // counted the processor stays the one of the stored figures.
    let cpu = if run.icount { "max" } else { "max,-erms,-fsrm" };
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        // KVM hangs where this project is developed, and only TCG counts instructions.
        .args(["-accel", &format!("tcg,thread={threads}"), "-cpu", cpu])
        .args(["-smp", &run.smp.to_string(), "-m", &run.memory.to_string(), "-kernel"])
        .arg(image)
        .args(["-initrd", &format!("/proc/self/fd/{}", initramfs.as_raw_fd()), "-append"])
        .arg(format!("console=ttyS0 panic=-1 random.trust_cpu=on{rcu}{console}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if run.icount {
        command.args(["-icount", "shift=0,sleep=off"]);
    }
    command
}

/// Sends what comes from the guest until it ends.
fn forward(
    channel: Channel,
    mut from: impl Read + Send + 'static,
    to: SyncSender<(Channel, Vec<u8>)>,
) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(size @ 1..) = from.read(&mut buffer) {
            if to.send((channel, buffer[..size].to_vec())).is_err() {
                break;
            }
        }
    });
}

/// Writes through; says false when the reader is gone.
fn deliver(mut output: impl Write, bytes: &[u8]) -> Result<bool> {
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

/// Reads the line that guest-init writes at the end, once it is complete.
fn parse(control: &[u8]) -> Option<Report> {
    let line = std::str::from_utf8(control).ok()?.strip_suffix('\n')?;
    let mut words = line.strip_prefix("exit ")?.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    Some(Report { code: u8::try_from(number()?).ok()?, stdout: number()?, stderr: number()? })
}

/// Whether the kernel says of one of its processors that it has been in the same place for a minute or longer, which
/// is three times what it begins to say so after.
fn is_stuck(console: &VecDeque<u8>) -> bool {
    text(console).lines().any(|line| {
        let stuck = line.split_once("soft lockup - CPU#").and_then(|(_, rest)| {
            let (_, time) = rest.split_once(" stuck for ")?;
            time.split_once("s!")?.0.parse::<u32>().ok()
        });
        stuck.is_some_and(|seconds| seconds >= 60)
    })
}

/// What the console has shown.
fn text(console: &VecDeque<u8>) -> String {
    let bytes: Vec<u8> = console.iter().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The end of the console, on lines of its own.
fn last_lines(console: &VecDeque<u8>) -> String {
    let text = text(console);
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..]
        .iter()
        .map(|line| format!("\n  {line}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Report, is_stuck, parse};

    #[test]
    fn a_processor_is_stuck_once_the_kernel_says_so_of_a_minute() {
        let line = |seconds: u32| {
            let text = format!(
                "[ 1.0] watchdog: BUG: soft lockup - CPU#1 stuck for {seconds}s! [scenario:5463]\r\n"
            );
            text.into_bytes().into()
        };
        assert!(!is_stuck(&line(22)) && is_stuck(&line(67)));
        assert!(!is_stuck(&b"rcu: INFO: rcu_preempt self-detected stall on CPU".to_vec().into()));
    }

    #[test]
    fn a_report_counts_once_it_is_complete() {
        assert_eq!(parse(b"exit 7 1"), None);
        assert_eq!(parse(b"exit 7 12 0\n"), Some(Report { code: 7, stdout: 12, stderr: 0 }));
        assert_eq!(parse(b"exit 700 12 0\n"), None);
    }
}
