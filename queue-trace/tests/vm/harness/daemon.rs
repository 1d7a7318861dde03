//! A running `queue-trace serve`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::tracer::exit;
use super::{namespace, program, wait};

/// The running daemon, outside of the scenario's namespace.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    configuration: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with a configuration of this text, and waits until it counts.
    pub(crate) fn start(configuration: &str, arguments: &[&str]) -> Self {
        Self::start_beside("serve", configuration, arguments)
    }

    /// The same with a name, where there is another one.
    pub(crate) fn start_beside(name: &str, configuration: &str, arguments: &[&str]) -> Self {
        let folder = &Path::new("/tmp").join(name);
        fs::create_dir_all(folder).unwrap();
        let (file, log) = (folder.join("queue-trace.toml"), folder.join("log"));
        fs::write(&file, configuration).unwrap();
        let mut command = program::queue_trace();
        command.arg("serve").arg("--config").arg(&file).args(arguments);
        command.stdin(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = namespace::outside(|| command.spawn().expect("cannot run queue-trace"));
        let daemon = Self { child, configuration: file, log };
        daemon.wait_for("the daemon to count", |log| log.contains(" listeners by "));
        daemon
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its log satisfies a condition.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let show = ShowUnlessDone(&self.log);
        wait::until(what, || {
            let log = self.log();
            let ended = log.contains("\nqueue-trace: ") || log.starts_with("queue-trace: ");
            assert!(!ended, "{log}");
            condition(&log)
        });
        std::mem::forget(show);
    }

    /// Has it read another configuration.
    pub(crate) fn reload(&self, configuration: &str) {
        fs::write(&self.configuration, configuration).unwrap();
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Ends it as nobody can prepare for.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Ends it as a service manager does, which has to be a success; all that it logged.
    pub(crate) fn end(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = exit(&mut self.child);
        let log = self.log();
        assert!(status.success(), "{status}:\n{log}");
        log
    }
}

/// A log that is shown when the wait for something in it fails.
struct ShowUnlessDone<'a>(&'a Path);

impl Drop for ShowUnlessDone<'_> {
    fn drop(&mut self) {
        eprintln!("{}", fs::read_to_string(self.0).unwrap_or_default());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a failure: what is left must not disturb the next scenario.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
