//! Which processes hold a socket.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};
use rustix::io::Errno;

use super::{comm, home, processes};
use crate::model::Process;

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Who: its id in the pid namespace of `/proc`, and names that it can choose itself, so anything.
    pub process: Process,
    /// The lowest of the process' file descriptors for the socket.
    pub fd: u32,
}

/// The processes that hold the sockets one asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    by_inode: HashMap<u32, Vec<Owner>>,
    /// Processes whose descriptors may not be read (`PTRACE_MODE_READ`).
    pub unreadable: usize,
}

impl Owners {
    /// Looks through the descriptors of all processes for the sockets `wanted`, by inode.
    ///
    /// Sees descriptor tables, one a process: not sockets on their way over a Unix socket, nor the
    /// table of a thread that unshared it.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted. What cannot be read of a single process is not an error.
    pub fn scan(wanted: &HashSet<u32>) -> io::Result<Self> {
        let mut owners = Self::default();
        if wanted.is_empty() {
            return Ok(owners);
        }
        for pid in processes()? {
            // Any other failure is a process that ended meanwhile.
            if let Err(Errno::ACCESS | Errno::PERM) = owners.scan_process(pid, wanted) {
                owners.unreadable += 1;
            }
        }
        for processes in owners.by_inode.values_mut() {
            processes.sort_unstable_by_key(|owner| owner.process.pid);
        }
        Ok(owners)
    }

    /// The owners of a socket by pid; empty when none was seen.
    pub fn of(&self, inode: u32) -> &[Owner] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// All of them, each with the inode of the socket that it holds.
    pub fn all(&self) -> impl Iterator<Item = (u32, &Owner)> {
        self.by_inode.iter().flat_map(|(inode, owners)| owners.iter().map(|one| (*inode, one)))
    }

    /// Their process ids.
    #[must_use]
    pub fn pids(&self) -> HashSet<u32> {
        self.all().map(|(_, owner)| owner.process.pid).collect()
    }

    /// Owners that are known already, by the inode of the socket.
    #[must_use]
    pub fn known(by_inode: HashMap<u32, Vec<Owner>>) -> Self {
        Self { by_inode, unreadable: 0 }
    }

    fn scan_process(&mut self, pid: u32, wanted: &HashSet<u32>) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty())?;
        let mut process = None;
        let mut target = [MaybeUninit::uninit(); 32];
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Some(fd) = number(entry.file_name()) else { continue };
            let target = match readlinkat_raw(&folder, entry.file_name(), &mut target) {
                Ok((target, _)) => target,
                // Closed meanwhile.
                Err(Errno::NOENT) => continue,
                // Root may list every process' descriptors, but needs CAP_SYS_PTRACE to follow them.
                Err(errno) => return Err(errno),
            };
            let Some(inode) = socket_inode(target).filter(|inode| wanted.contains(inode)) else {
                continue;
            };
            let process = process.get_or_insert_with(|| read(pid));
            let owners = self.by_inode.entry(inode).or_default();
            match owners.last_mut().filter(|owner| owner.process.pid == pid) {
                Some(owner) => owner.fd = owner.fd.min(fd),
                None => owners.push(Owner { process: process.clone(), fd }),
            }
        }
        Ok(())
    }
}

fn number(name: &CStr) -> Option<u32> {
    name.to_str().ok()?.parse().ok()
}

/// The inode in `socket:[4711]` (`sockfs_dname`).
fn socket_inode(target: &[u8]) -> Option<u32> {
    let digits = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Who a process is.
fn read(pid: u32) -> Process {
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let executable = executable.map(|path| undeleted(&path.to_string_lossy()).to_owned());
    Process { pid, comm: comm(pid), executable, home: home::read(pid) }
}

/// A program file's path without what the kernel adds when the file is gone, as after an upgrade.
fn undeleted(path: &str) -> &str {
    path.strip_suffix(" (deleted)").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn only_sockets_have_a_socket_inode() {
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        for other in ["pipe:[4711]", "socket:[", "socket:[]", "socket:[4711", "/tmp/socket:[1]"] {
            assert_eq!(socket_inode(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn finds_this_process_once_for_two_descriptors() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let copy = listener.try_clone().unwrap();
        let fd = listener.as_raw_fd().min(copy.as_raw_fd()) as u32;
        let path = format!("/proc/self/fd/{fd}");
        let inode = std::fs::metadata(path).unwrap().ino() as u32;
        let owners = Owners::scan(&HashSet::from([inode])).unwrap();
        let comm = std::fs::read_to_string("/proc/self/comm").unwrap().trim_end().to_owned();
        // Another test's child may hold it too, between fork and exec.
        let mut own = owners.of(inode).iter().filter(|o| o.process.pid == std::process::id());
        let owner = own.next().unwrap();
        assert_eq!((&owner.process.comm, owner.fd, own.next()), (&comm, fd, None));
        let executable = std::env::current_exe().unwrap();
        assert_eq!(owner.process.executable.as_deref(), executable.to_str());
        let home = owner.process.home.as_ref().unwrap();
        assert!(home.cgroup.starts_with('/'), "{home:?}");
        assert_eq!(owners.of(0), []);
    }

    #[test]
    fn a_program_file_that_is_gone_keeps_its_path() {
        assert_eq!(undeleted("/usr/sbin/nginx (deleted)"), "/usr/sbin/nginx");
        assert_eq!(undeleted("/usr/sbin/nginx"), "/usr/sbin/nginx");
    }
}
