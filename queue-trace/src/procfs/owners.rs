//! Which processes hold a socket.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};
use rustix::io::Errno;

use super::processes;

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "listeners", derive(serde::Serialize))]
pub struct Owner {
    /// Process id, in the pid namespace of `/proc`.
    pub pid: u32,
    /// `/proc/PID/comm`: at most 15 bytes that the process itself can choose, so anything.
    pub comm: String,
    /// The lowest of the process' file descriptors for the socket.
    pub fd: u32,
}

/// The processes that hold the sockets one asked for.
#[derive(Debug, Default)]
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
            processes.sort_unstable();
        }
        Ok(owners)
    }

    /// The owners of a socket by pid; empty when none was seen.
    pub fn of(&self, inode: u32) -> &[Owner] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// Owners of one socket, for tests of what shows them.
    #[cfg(test)]
    pub(crate) fn of_test(inode: u32, owners: &[(u32, &str, u32)]) -> Self {
        let owner = |&(pid, comm, fd): &(u32, &str, u32)| Owner { pid, comm: comm.into(), fd };
        let by_inode = HashMap::from([(inode, owners.iter().map(owner).collect())]);
        Self { by_inode, unreadable: 0 }
    }

    fn scan_process(&mut self, pid: u32, wanted: &HashSet<u32>) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty())?;
        let mut comm = None;
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
            let comm = comm.get_or_insert_with(|| read_comm(pid));
            let owners = self.by_inode.entry(inode).or_default();
            match owners.last_mut().filter(|owner| owner.pid == pid) {
                Some(owner) => owner.fd = owner.fd.min(fd),
                None => owners.push(Owner { pid, comm: comm.clone(), fd }),
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

fn read_comm(pid: u32) -> String {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned()
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
        assert_eq!(owners.of(inode), [Owner { pid: std::process::id(), comm, fd }]);
        assert_eq!(owners.of(0), []);
    }
}
