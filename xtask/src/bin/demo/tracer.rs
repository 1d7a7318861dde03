//! A running `queue-trace trace`.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A tracer that has attached.
#[derive(Debug)]
pub(crate) struct Tracer {
    child: Child,
    stdout: JoinHandle<Vec<Value>>,
    stderr: JoinHandle<()>,
}

impl Tracer {
    /// Starts tracing one port. Text is shown, JSON is kept.
    pub(crate) fn start(queue_trace: &OsStr, port: &str, format: &str) -> Result<Self> {
        let mut child = Command::new(queue_trace)
            .args(["trace", "--relative", "--port", port, "--format", format])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run queue-trace")?;
        let (stdout, stderr) = child.stdout.take().zip(child.stderr.take()).context("no pipes")?;
        let show = format == "text";
        let stdout = std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines
                .inspect(|line| print(line, show))
                .filter_map(|line| serde_json::from_str(&line).ok())
                .collect()
        });
        let (ready, attached) = channel();
        let stderr = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The first line comes when everything is attached; nobody listens for the others.
                let _ = ready.send(());
                print(&line, show);
            }
        });
        attached
            .recv_timeout(Duration::from_secs(60))
            .map_err(|_| anyhow!("queue-trace did not attach"))?;
        Ok(Self { child, stdout, stderr })
    }

    /// Ends the trace as Ctrl-C does; gives the events that were kept.
    pub(crate) fn finish(mut self) -> Result<Vec<Value>> {
        kill_process(Pid::from_child(&self.child), Signal::INT)?;
        let status = self.child.wait()?;
        let events = self.stdout.join().map_err(|_| anyhow!("the reader panicked"))?;
        self.stderr.join().map_err(|_| anyhow!("the reader panicked"))?;
        ensure!(status.success(), "queue-trace failed ({status})");
        Ok(events)
    }
}

fn print(line: &str, show: bool) {
    if show {
        println!("{line}");
    }
}
