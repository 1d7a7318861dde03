//! Starting and stopping what watches.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::floor::Hook;
use crate::sample::Tracer;
use crate::{floor, pause, stats};

/// Where a tracer's messages go.
const MESSAGES: &str = "/tmp/messages";

/// SYNs and ACKs per listener and a histogram of waits, by kprobes.
const KPROBES: &str = "
    kprobe:tcp_conn_request { @syns[arg2] = count(); }
    kprobe:inet_csk_complete_hashdance { @acks[arg0] = count(); @start[arg1] = nsecs; }
    kprobe:security_sock_graft /@start[arg0]/ {
        @wait = hist(nsecs - @start[arg0]); delete(@start[arg0]);
    }";
/// The same by kfuncs.
const KFUNCS: &str = "
    kfunc:tcp_conn_request { @syns[args->sk] = count(); }
    kfunc:inet_csk_complete_hashdance { @acks[args->sk] = count(); @start[args->child] = nsecs; }
    kfunc:security_sock_graft /@start[args->sk]/ {
        @wait = hist(nsecs - @start[args->sk]); delete(@start[args->sk]);
    }";

/// A tracer at work; has to be stopped.
#[derive(Debug)]
pub(crate) enum Running {
    /// Programs of our own.
    Attached(Vec<OwnedFd>),
    /// Somebody else's.
    Process(Child),
}

/// Starts a tracer and waits until it does nothing any more but watch.
pub(crate) fn start(tracer: Tracer, hooks: &[Hook]) -> Result<Running> {
    let words: &[&str] = match tracer {
        Tracer::Least => return Ok(Running::Attached(floor::attach(&floor::least(hooks))?)),
        Tracer::Floor => return Ok(Running::Attached(floor::attach(hooks)?)),
        // Nothing is streamed: the flag is there for this.
        Tracer::Counting => &["queue-trace", "doctor", "--only-count", "--duration", "24h"],
        Tracer::Streaming => &["queue-trace", "trace", "--format", "json"],
        Tracer::Kprobes => {
            &["queue-trace", "doctor", "--only-count", "--duration", "24h", "--attach", "kprobe"]
        }
        Tracer::Tcpsynbl => &["tcpsynbl"],
        Tracer::BpftraceKprobe => &["bpftrace", "-e", KPROBES],
        Tracer::BpftraceKfunc => &["bpftrace", "-e", KFUNCS],
    };
    let child = Command::new(words[0])
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(File::create(MESSAGES)?)
        .spawn()
        .with_context(|| format!("no {} here", words[0]))?;
    let mut running = Running::Process(child);
    match running.settle() {
        Ok(()) => Ok(running),
        Err(problem) => {
            running.stop()?;
            Err(problem)
        }
    }
}

impl Running {
    /// Instructions that its process has used: `CLOCK_MONOTONIC` counts them, and so does the scheduler.
    pub(crate) fn instructions(&self) -> Result<u64> {
        let Self::Process(child) = self else { return Ok(0) };
        let mut sum = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().and_then(|time| time.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    }

    /// Waits until it has programs in the kernel and has slept for seconds.
    fn settle(&mut self) -> Result<()> {
        const STEP: u64 = 100;
        const QUIET: u64 = 3000;
        const LIMIT: u64 = 300_000;
        // bpftrace looks up now and then even when there is nothing to do.
        const NEXT_TO_NOTHING: u64 = STEP * 1_000_000 / 50;
        let (mut quiet, mut last) = (0, 0);
        for _ in 0..LIMIT / STEP {
            if let Self::Process(child) = self
                && let Some(status) = child.try_wait()?
            {
                bail!("{} ({status})", last_message());
            }
            let used = self.instructions()?;
            let idle = used - last < NEXT_TO_NOTHING && stats::any_program();
            quiet = if idle { quiet + STEP } else { 0 };
            last = used;
            if quiet >= QUIET {
                return Ok(());
            }
            pause(STEP);
        }
        bail!("it did not get ready")
    }

    /// Ends it as Ctrl-C does, and waits until the kernel is as it was.
    pub(crate) fn stop(self) -> Result<()> {
        match self {
            Self::Attached(links) => drop(links),
            Self::Process(mut child) => {
                // Fails when it has ended by itself.
                let _ = kill_process(Pid::from_child(&child), Signal::INT);
                child.wait()?;
            }
        }
        for _ in 0..200 {
            if !stats::any_program() {
                return Ok(());
            }
            pause(100);
        }
        ensure!(!stats::any_program(), "programs stay behind");
        Ok(())
    }
}

/// The last line on its standard error.
fn last_message() -> String {
    let text = std::fs::read_to_string(MESSAGES).unwrap_or_default();
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").trim().into()
}
