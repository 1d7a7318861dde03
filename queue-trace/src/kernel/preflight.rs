//! What has to be true before anything is loaded, and what a refusal by the kernel means.

use std::io;
use std::path::Path;

use aya::util::KernelVersion;
use rustix::io::Errno;
use rustix::system::uname;

use super::tracefs;

/// Refuses kernels on which the counts could not be trusted.
///
/// # Errors
///
/// One line that says why.
pub fn check() -> Result<(), String> {
    let version = uname();
    if version.version().to_string_lossy().contains("PREEMPT_RT") {
        return Err(
            "this is a PREEMPT_RT kernel, where passes through TCP can interrupt one another on a \
             CPU: counts would be wrong; `queue-trace listeners` works"
                .to_owned(),
        );
    }
    Ok(())
}

/// Where the kernel offers kprobes.
const KPROBES: &str = "/sys/bus/event_source/devices/kprobe";

/// Refuses kernels without kprobes, and those on which they are for root alone.
///
/// # Errors
///
/// One line that says so.
pub fn kprobes() -> Result<(), String> {
    if !Path::new(KPROBES).exists() {
        return Err(format!(
            "this kernel has no kprobes ({KPROBES} is not there): `queue-trace listeners` works without"
        ));
    }
    // aya takes the old way on a kernel whose version it cannot read.
    if KernelVersion::current().is_err() && tracefs::read("kprobe_events").is_none() {
        let release = uname().release().to_string_lossy().into_owned();
        return Err(format!(
            "on this kernel, whose release {release} does not begin with three numbers, kprobes are made in \
             tracefs, where only root may: run it with sudo, or without --attach kprobe"
        ));
    }
    Ok(())
}

/// Who may open perf events, through which kprobes are attached.
const PERF_EVENTS: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Debian's kernels know a level 3, at which Linux 5.10 does not content itself with `CAP_PERFMON`.
fn perf_events_need_more() -> bool {
    let level = std::fs::read_to_string(PERF_EVENTS).ok().and_then(|text| text.trim().parse().ok());
    level.is_some_and(|level: i32| level > 2)
}

/// What to tell the user when `bpf()` fails.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    let root = rustix::process::geteuid().is_root();
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS) if !root && perf_events_need_more() => format!(
            "kprobes here need CAP_SYS_ADMIN, or {PERF_EVENTS} at 2 (it is higher): run it with sudo, or \
             lower that; `queue-trace listeners` works without"
        ),
        Some(Errno::PERM | Errno::ACCESS) if !root => {
            "tracing needs root, or CAP_BPF and CAP_PERFMON: run it with sudo; \
             `queue-trace listeners` works without"
                .to_owned()
        }
        Some(Errno::PERM | Errno::ACCESS) => {
            "this kernel refuses tracing programs even to root (a container without CAP_BPF and \
             CAP_PERFMON, lockdown, or a policy): run it on the host, or use `queue-trace listeners`"
                .to_owned()
        }
        Some(Errno::NOSYS) => {
            "this kernel has no bpf() system call: use `queue-trace listeners`".to_owned()
        }
        Some(Errno::NOMEM) => {
            "not enough memory for the kernel side's maps: raise the memory limit of this cgroup, \
             or RLIMIT_MEMLOCK before Linux 5.11"
                .to_owned()
        }
        _ => error.to_string(),
    }
}
