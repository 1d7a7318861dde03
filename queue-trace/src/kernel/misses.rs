//! Calls of our programs that the kernel skipped, as far as it tells.
//!
//! A kprobe is skipped in a softirq that interrupts another kprobe, another BPF program that is attached
//! to a kprobe or tracepoint, or a `bpf()` call that reads or writes a map, on the same CPU. Ours are
//! called with bottom halves off, but for the rare `listen()` and the closing of a listener, so that
//! they do not suppress one another; other tools' may, and so may our own reading of maps. The kernel
//! counts what it skips since 6.7; before, only the books tell.
//!
//! An fentry program is skipped when it interrupts itself, which the kernel has counted since it does
//! so (5.12).

use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::hooks::Tier;
use super::objects::Objects;
use super::tracefs;

/// What the kernel tells of skipped calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Misses {
    /// How many it has counted.
    pub calls: u64,
    /// Whether it skips without counting.
    pub silent: bool,
}

impl Misses {
    /// Asks for all programs that are in the kernel.
    pub(super) fn read(objects: &Objects, tier: Tier) -> Self {
        let programs = objects.programs().filter_map(|(_, program)| program.fd().ok());
        let of_programs: u64 =
            programs.filter_map(|fd| recursion_misses(fd.as_fd().as_raw_fd())).sum();
        if tier == Tier::Fentry {
            return Self { calls: of_programs, silent: false };
        }
        let of_probes = of_links().or_else(of_events);
        Self { calls: of_programs + of_probes.unwrap_or(0), silent: of_probes.is_none() }
    }
}

/// Skipped calls of a program.
fn recursion_misses(program: RawFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{program}")).ok()?;
    let count = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"))?;
    count.trim().parse().ok()
}

/// Skipped calls of the probes behind this process's BPF links, whose descriptors aya keeps to itself;
/// nothing, where there are no such links or the kernel does not count.
fn of_links() -> Option<u64> {
    let is_link = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|target| {
            target.to_str().is_some_and(|name| name.starts_with("anon_inode:bpf_link"))
        })
    };
    let descriptor = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let links = fs::read_dir("/proc/self/fd").ok()?.flatten().filter(is_link);
    // None, if no link answers; else the sum over those that do.
    let counts: Vec<u64> = links.filter_map(descriptor).filter_map(link::missed).collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// Skipped calls of probes that stand in tracefs.
fn of_events() -> Option<u64> {
    of_profile(&tracefs::read("kprobe_profile")?, &tracefs::own_prefix())
}

/// The sum over the events whose names begin so: each line has a name, and how often the probe was hit
/// and missed.
fn of_profile(profile: &str, prefix: &str) -> Option<u64> {
    let ours = profile.lines().map(str::split_ascii_whitespace).filter_map(|mut words| {
        words.next().filter(|name| name.starts_with(prefix)).and(words.nth(1))?.parse::<u64>().ok()
    });
    let counts: Vec<u64> = ours.collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// What the kernel tells of a BPF link.
mod link {
    use super::RawFd;

    /// `BPF_OBJ_GET_INFO_BY_FD`.
    const GET_INFO: libc::c_int = 15;
    /// `BPF_LINK_TYPE_PERF_EVENT`, under which kprobes come.
    const PERF_EVENT: u32 = 7;

    /// The member of `union bpf_attr` for it.
    #[repr(C)]
    struct Request {
        link: u32,
        length: u32,
        info: *mut Info,
    }

    /// `struct bpf_link_info` of a kprobe, up to the member that we are after.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        program: u32,
        hole: u32,
        event_kind: u32,
        event_hole: u32,
        /// Zero: the name is not asked for.
        name: u64,
        name_length: u32,
        offset: u32,
        address: u64,
        missed: u64,
    }

    /// Skipped calls of the probe behind a link; nothing from kernels that do not have that member.
    pub(super) fn missed(link: RawFd) -> Option<u64> {
        let mut info = Info::default();
        let length = size_of::<Info>() as u32;
        let mut request = Request { link: link.try_into().ok()?, length, info: &raw mut info };
        // SAFETY: the kernel reads `request` and writes at most `length` bytes to `info`, of which any
        // are a value; both live until the call returns. It checks the descriptor itself.
        let result = unsafe {
            libc::syscall(libc::SYS_bpf, GET_INFO, &raw mut request, size_of::<Request>())
        };
        // Older kernels say that they wrote less.
        let told = result == 0 && request.length >= length && info.kind == PERF_EVENT;
        told.then_some(info.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_events_count() {
        let profile = "  aya_97_p_tcp_check_req_0x0_0       12       3\n\
                       \x20 aya_97_r_tcp_check_req_0x0_1       12       4\n\
                       \x20 aya_970_p_tcp_check_req_0x0_1      12       5\n\
                       \x20 myprobe                            12       6\n";
        assert_eq!(of_profile(profile, "aya_97_"), Some(7));
        assert_eq!(of_profile(profile, "aya_9_"), None);
    }

    #[test]
    fn what_is_no_link_tells_nothing() {
        assert_eq!(link::missed(0), None);
        assert_eq!(recursion_misses(0), None);
    }
}
