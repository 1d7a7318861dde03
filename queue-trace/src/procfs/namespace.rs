//! Network namespaces: which there are, and working inside one.

use std::collections::BTreeMap;
use std::fs::{File, read_dir};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::net::{AddressFamily, SocketType, socket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{about, comm, processes};
use crate::model::{NamespaceName, Process};

/// Where `ip netns` keeps its names; the second is usually a link to the first.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/netns"];

/// A network namespace and a way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Inode on nsfs: `net->ns.inum`, the number that `lsns` and `readlink /proc/PID/ns/net` show.
    pub inode: u64,
    /// Its name under `/run/netns`, as `ip netns` shows it.
    pub name: Option<String>,
    /// The lowest pid of a process in it, if one was seen.
    pub pid: Option<u32>,
    /// A file that stands for the namespace.
    path: PathBuf,
}

/// The namespaces that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reachable {
    /// The calling thread's namespace first, the others by inode.
    pub namespaces: Vec<Namespace>,
    /// Processes whose namespace may not be read (`PTRACE_MODE_READ`): it may be one not listed.
    pub unreadable: usize,
}

/// Why a namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Its last process and name went away.
    #[error("the network namespace is gone")]
    Vanished,
    /// `setns` needs `CAP_SYS_ADMIN`, opening the file `CAP_SYS_PTRACE`.
    #[error("entering another network namespace needs root (CAP_SYS_ADMIN and CAP_SYS_PTRACE)")]
    NotPermitted,
    /// Any other failure.
    #[error("cannot enter the network namespace: {0}")]
    Io(#[from] io::Error),
}

impl Namespace {
    /// One that is not on this machine, or not any more: it cannot be entered.
    #[must_use]
    pub fn elsewhere(inode: u64, name: Option<String>) -> Self {
        Self { inode, name, pid: None, path: PathBuf::new() }
    }

    /// The calling thread's namespace, without its name.
    ///
    /// # Errors
    ///
    /// When `/proc` is not mounted.
    pub fn own() -> io::Result<Self> {
        // Another thread must find this namespace too, and to it `thread-self` is another file.
        let link = Path::new("/proc/thread-self");
        let path = Path::new("/proc").join(link.read_link().map_err(about(link))?).join("ns/net");
        let inode = link_inode(&path).map_err(about(&path))?;
        Ok(Self { inode, name: None, pid: Some(std::process::id()), path })
    }

    /// Does `work` inside the namespace and returns what it returned.
    ///
    /// On the calling thread if that is in the namespace already, and then without privileges;
    /// else on a thread of its own, which ends with `work`, so the caller never changes namespace.
    ///
    /// # Errors
    ///
    /// [`EnterError::Vanished`] also when the path now stands for another namespace (reused pid).
    ///
    /// # Panics
    ///
    /// Only when `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, EnterError> {
        if Self::own()?.inode == self.inode {
            return Ok(work());
        }
        thread::scope(|scope| {
            let inside = thread::Builder::new().name("netns".into()).spawn_scoped(scope, || {
                self.enter()?;
                Ok(work())
            })?;
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace.
    fn enter(&self) -> Result<(), EnterError> {
        let file = File::open(&self.path).map_err(EnterError::from_io)?;
        if file.metadata()?.ino() != self.inode {
            return Err(EnterError::Vanished);
        }
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| EnterError::from_io(errno.into()))
    }
}

impl Reachable {
    /// What users know the namespaces by.
    #[must_use]
    pub fn names(&self) -> Vec<NamespaceName> {
        let name = |(at, namespace): (usize, &Namespace)| {
            let (own, name) = (at == 0, namespace.name.clone());
            // Who lives there is asked for where nothing better is known.
            let pid = namespace.pid.filter(|_| name.is_none() && !own);
            let resident = pid.map(|pid| Process { pid, comm: comm(pid), ..Process::default() });
            NamespaceName { inode: namespace.inode as u32, name, own, resident }
        };
        self.namespaces.iter().enumerate().map(name).collect()
    }
}

impl EnterError {
    fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Vanished,
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            _ => Self::Io(error),
        }
    }
}

/// The cookie of the calling thread's namespace (`SO_NETNS_COOKIE`): never given to another one. Nothing
/// before Linux 5.14.
#[must_use]
pub fn own_cookie() -> Option<u64> {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).ok()?;
    let mut cookie = 0_u64;
    let mut size = size_of_val(&cookie) as libc::socklen_t;
    // SAFETY: pointer and size describe the cookie, which lives through the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut size,
        )
    };
    (result == 0).then_some(cookie)
}

/// Finds the calling thread's namespace, those of all processes, and those with a name.
///
/// Not found are namespaces that only a thread, a file descriptor or a bind mount elsewhere keeps.
///
/// # Errors
///
/// When `/proc` is not mounted.
pub fn reachable() -> io::Result<Reachable> {
    let own = Namespace::own()?;
    let mut found = BTreeMap::from([(own.inode, own.clone())]);
    let mut unreadable = 0;
    for pid in processes()? {
        let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
        match link_inode(&path) {
            Ok(inode) => {
                let namespace = found.entry(inode).or_insert_with(|| Namespace {
                    inode,
                    name: None,
                    pid: Some(pid),
                    path: path.clone(),
                });
                if namespace.inode != own.inode && namespace.pid > Some(pid) {
                    (namespace.pid, namespace.path) = (Some(pid), path);
                }
            }
            // Ended meanwhile, or a zombie.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => unreadable += 1,
        }
    }
    // All namespace files lie on nsfs; a name of another device is a leftover file.
    let nsfs = own.path.metadata()?.dev();
    for (inode, name, path) in NAMED.iter().flat_map(|folder| named(Path::new(folder), nsfs)) {
        // The name outlives the processes: better to enter by it, except into where we are.
        let namespace = found.entry(inode).or_insert_with(|| Namespace {
            inode,
            name: None,
            pid: None,
            path: path.clone(),
        });
        if namespace.name.is_none() {
            namespace.name = Some(name);
            namespace.path = path;
        }
    }
    let own = found.remove(&own.inode);
    Ok(Reachable { namespaces: own.into_iter().chain(found.into_values()).collect(), unreadable })
}

/// The inode in a link like `net:[4026531840]`.
///
/// Read, not followed: for a user without the right to, 5.10.262 follows the link to the folder it
/// lies in, which looks like one namespace a process. Reading it gives that user an empty text.
fn link_inode(path: &Path) -> io::Result<u64> {
    let target = path.read_link()?;
    target
        .to_str()
        .and_then(|target| target.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{} is no namespace", path.display())))
}

/// Inode, name and path of the namespaces with a name in `folder`.
fn named(folder: &Path, nsfs: u64) -> Vec<(u64, String, PathBuf)> {
    let mut names: Vec<_> = read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let file = path.metadata().ok().filter(|file| file.dev() == nsfs)?;
            Some((file.ino(), path.file_name()?.to_string_lossy().into_owned(), path))
        })
        .collect();
    // Of several names for one namespace always the same.
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_first_and_needs_no_rights() {
        let reachable = reachable().unwrap();
        let own = Namespace::own().unwrap();
        assert_eq!(reachable.namespaces[0].inode, own.inode);
        let here = thread::current().id();
        assert_eq!(reachable.namespaces[0].run(|| thread::current().id()).unwrap(), here);
    }

    #[test]
    fn a_namespace_is_known_by_its_name_or_by_who_is_there() {
        let namespace = |inode, name: Option<&str>| Namespace {
            inode,
            name: name.map(Into::into),
            pid: Some(std::process::id()),
            path: PathBuf::new(),
        };
        let namespaces = vec![namespace(7, None), namespace(8, Some("blue")), namespace(9, None)];
        let names = Reachable { namespaces, unreadable: 0 }.names();
        let labels: Vec<_> = names.iter().map(|name| (name.inode, name.label())).collect();
        let pid = std::process::id();
        let lives = format!("of {} {pid}", comm(pid));
        let [own, blue] = ["this one", "blue"].map(|label| Some(label.to_owned()));
        assert_eq!(labels, [(7, own), (8, blue), (9, Some(lives))]);
    }

    #[test]
    fn each_namespace_is_listed_once() {
        let mut inodes: Vec<_> =
            reachable().unwrap().namespaces.iter().map(|namespace| namespace.inode).collect();
        let all = inodes.len();
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), all);
    }

    #[test]
    fn a_vanished_or_replaced_namespace_says_so() {
        let elsewhere =
            |path: &str| Namespace { inode: 1, name: None, pid: None, path: path.into() };
        for path in ["/proc/4194305/ns/net", "/proc/thread-self/ns/net"] {
            let error = elsewhere(path).run(|| ()).unwrap_err();
            assert!(matches!(error, EnterError::Vanished), "{path}: {error}");
        }
    }

    #[test]
    fn leftover_files_are_not_namespaces() {
        assert_eq!(named(Path::new("/proc/thread-self/net"), 0), []);
        assert_eq!(named(Path::new("/nowhere"), 0), []);
    }
}
