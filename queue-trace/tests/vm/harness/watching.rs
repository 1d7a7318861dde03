//! A command that watches for a while and then says what it saw.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::tracer::exit;
use super::{namespace, program};

/// The running command.
#[derive(Debug)]
pub(crate) struct Watching(Child);

impl Watching {
    /// Starts `queue-trace` with these arguments outside of the scenario's namespace, and waits until it
    /// watches.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = program::queue_trace();
        command.args(arguments).args(["--duration", "5m"]).args(program::attach_arguments());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = namespace::outside(|| command.spawn().expect("cannot run queue-trace"));
        let mut watching = Self(child);
        let mut lines =
            BufReader::new(watching.0.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(": watching ")), "queue-trace does not watch");
        watching
    }

    /// Ends it as Ctrl-C does; how it ended and what it wrote.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut stdout = self.0.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        let status = exit(&mut self.0);
        (status, reader.join().unwrap())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // After a failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
