//! Network namespaces and sockets for the tests.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "failing is how a test reports")]

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use serde_json::Value;

/// What a listener may be besides its address and backlog.
#[derive(Default)]
pub(crate) struct Options {
    /// `SO_REUSEPORT`
    pub(crate) reuseport: bool,
    /// `TCP_DEFER_ACCEPT`: connections without data stay half-open.
    pub(crate) defer: bool,
    /// Not `IPV6_V6ONLY`.
    pub(crate) dual_stack: bool,
}

/// `listen(backlog)` on `address`.
pub(crate) fn listen(address: &str, backlog: i32) -> OwnedFd {
    listen_with(address, backlog, &Options::default())
}

pub(crate) fn listen_with(address: &str, backlog: i32, options: &Options) -> OwnedFd {
    let address: SocketAddr = address.parse().unwrap();
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !options.dual_stack).unwrap();
    }
    sockopt::set_socket_reuseport(&socket, options.reuseport).unwrap();
    if options.defer {
        defer_accept(&socket);
    }
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, backlog).unwrap();
    socket
}

fn defer_accept(socket: &OwnedFd) {
    let seconds: libc::c_int = 60;
    // SAFETY: the option's value is the int that the pointer and the size describe.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Connections to `address` that the client side thinks established.
pub(crate) fn connect(address: &str, count: usize) -> Vec<TcpStream> {
    (0..count)
        .map(|_| {
            TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(5)).unwrap()
        })
        .collect()
}

/// A SYN whose fate is not waited for.
pub(crate) fn knock(address: &str) -> OwnedFd {
    let address: SocketAddr = address.parse().unwrap();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let family = AddressFamily::INET;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
    assert_eq!(rustix::net::connect(&socket, &address), Err(rustix::io::Errno::INPROGRESS));
    socket
}

/// The inode of a socket.
pub(crate) fn inode(socket: &OwnedFd) -> u64 {
    std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino()
}

/// `queue-trace listeners ARGS`, in the network namespace of the calling thread.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_queue-trace"));
    command.arg("listeners").args(arguments);
    command
}

/// The same as user `nobody`, who may not be able to reach the build folder: hence a copy.
pub(crate) fn run_as_nobody(arguments: &[&str]) -> Output {
    let copy = std::env::temp_dir().join(format!("queue-trace-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_queue-trace"), &copy).unwrap();
    std::fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&copy);
    command.arg("listeners").args(arguments).current_dir("/").uid(65534).gid(65534);
    // Another test's child may have the copy open for writing, from its fork to its exec.
    let output = loop {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            done => break done,
        }
    };
    std::fs::remove_file(&copy).unwrap();
    output.expect("this test needs root: it cannot become another user")
}

/// Standard output of a run that must succeed.
pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The listeners of the calling thread's namespace, as `--format json` shows them.
pub(crate) fn json() -> Vec<Value> {
    lines(&stdout(&["--format", "json", "--netns", "own"]))
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
