//! What `/proc` says: network namespaces, socket owners, sysctls and the kernel's own counters.
//!
//! `/proc/thread-self` is read throughout, never `/proc/self`: the latter shows the network
//! namespace of the process' *main* thread, and namespaces are entered on other threads.

mod cgroup;
mod counters;
mod cpu;
mod home;
mod namespace;
mod owners;
mod process;
mod protocols;
mod sysctls;

use std::io;
use std::path::Path;

pub use counters::Counters;
pub use cpu::Quota;
pub use namespace::{EnterError, Namespace, Reachable, own_cookie, reachable};
pub use owners::{Owner, Owners};
pub use process::Sample;
pub(crate) use process::{ran_ns, threads};
pub(crate) use protocols::has_dccp;
pub use sysctls::Sysctls;

/// Says which file a failed read was about.
fn about(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
}

/// The name of a process; nothing of one that ended.
fn comm(pid: u32) -> String {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned()
}

/// The process ids in `/proc`, unordered.
fn processes() -> io::Result<impl Iterator<Item = u32>> {
    let entries = std::fs::read_dir("/proc").map_err(about(Path::new("/proc")))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}
