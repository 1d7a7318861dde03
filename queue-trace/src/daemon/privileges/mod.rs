//! Fewer privileges after the start: what attaching took is not needed any more, and somebody who took the
//! daemon over should not have it.
//!
//! Four steps, each as far as this kernel goes: capabilities, `no_new_privs`, Landlock, seccomp. They are of
//! the calling thread and of the threads that it starts later; only seccomp reaches those that run already.
//! So this belongs before the runtime has threads of its own.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

pub use capabilities::{Cost, missing};

mod capabilities;
mod landlock;
mod seccomp;

/// The section `[privileges]`: which steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Give up the capabilities that are not needed after the start.
    pub capabilities: bool,
    /// Limit which files are seen and written.
    pub landlock: bool,
    /// Limit the system calls.
    pub seccomp: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { capabilities: true, landlock: true, seccomp: true }
    }
}

/// What is needed after the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Maps of the kernel side are read and written.
    pub bpf: bool,
    /// Descriptors and namespaces of other processes are looked at, to find owners.
    pub processes: bool,
    /// Other network namespaces are entered, for their listeners and counters.
    pub namespaces: bool,
    /// Files and folders that are read, beside those of the system: the configuration, certificates.
    pub read: Vec<PathBuf>,
    /// Folders in which files are made: recordings, sockets, pins.
    pub write: Vec<PathBuf>,
}

/// What was given up, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The steps in their order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What it did; or why it could not do it.
    pub result: Result<String, String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(done) => write!(f, "{}: {done}", self.name),
            Err(why) => write!(f, "{}: not limited: {why}", self.name),
        }
    }
}

/// Gives up what is not needed. A step that fails does not keep the others from being taken.
#[must_use]
pub fn drop_all(settings: &Settings, needs: &Needs) -> Report {
    let step = |name, wanted: bool, take: &dyn Fn() -> Result<String, String>| Step {
        name,
        result: if wanted { take() } else { Err("switched off in [privileges]".to_owned()) },
    };
    let steps = vec![
        step("capabilities", settings.capabilities, &|| capabilities::drop(needs)),
        step("no_new_privs", true, &no_new_privs),
        step("landlock", settings.landlock, &|| landlock::restrict(needs)),
        step("seccomp", settings.seccomp, &|| seccomp::restrict(needs)),
    ];
    Report { steps }
}

/// No program that is executed has more than this one; without it, seccomp and Landlock need root.
fn no_new_privs() -> Result<String, String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string())?;
    Ok("set".to_owned())
}
