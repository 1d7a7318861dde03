//! Network namespaces: one for each scenario.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// Where named namespaces are, for `ip netns` and for queue-trace.
const NAMES: &str = "/run/netns";

/// What threads of scenarios are called, and so what `accept` events say.
pub(crate) const THREAD: &str = "scenario";

/// Runs `work` on a thread in a network namespace of its own, which has a name as `ip netns` would
/// give it: a namespace that only a thread keeps is one that nobody can find.
pub(crate) fn within_fresh<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = || {
            // SAFETY: descriptors stay shared; only the network namespace is left.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("cannot make a namespace");
            ip(&["link", "set", "lo", "up"]);
            let _name = Name::give(name);
            work()
        };
        let thread = thread::Builder::new().name(THREAD.into()).spawn_scoped(scope, inside);
        thread.unwrap().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs `work` on a thread in the namespace that this process began in.
pub(crate) fn outside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let outside = || {
            // The link of the process is that of its first thread, which never moves.
            let origin = File::open("/proc/self/ns/net").unwrap();
            move_into_link_name_space(origin.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        scope.spawn(outside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The inode of the calling thread's network namespace: how queue-trace names it.
pub(crate) fn inode() -> u64 {
    std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// `ip ARGUMENTS` in the calling thread's namespace.
pub(crate) fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("cannot run ip");
    assert!(output.status.success(), "ip {}: {output:?}", arguments.join(" "));
}

/// Whether a namespace has this name.
pub(crate) fn is_named(name: &str) -> bool {
    PathBuf::from(NAMES).join(name).exists()
}

/// A name of the calling thread's namespace, for as long as this lives.
struct Name(PathBuf);

impl Name {
    fn give(name: &str) -> Self {
        std::fs::create_dir_all(NAMES).unwrap();
        let path = PathBuf::from(NAMES).join(name);
        File::create(&path).unwrap();
        mount_bind("/proc/thread-self/ns/net", &path).unwrap();
        Self(path)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // A leftover name would only keep its namespace alive.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
        let _ = std::fs::remove_file(&self.0);
    }
}
