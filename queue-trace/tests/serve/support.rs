//! A running daemon, and sockets in a network namespace made for the purpose.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockAddr, Socket, Type};

/// How long anything is waited for, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody.
const NOBODY: u32 = 65_534;

/// `listen(backlog)` on a loopback port.
pub(crate) fn listen(port: u16, backlog: i32) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&address(port)).unwrap();
    socket.listen(backlog).unwrap();
    socket
}

/// A client that has begun to connect; whether it gets in is not waited for.
pub(crate) fn connect(port: u16) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    // In progress, which is what the error says.
    let _ = socket.connect(&address(port));
    socket
}

fn address(port: u16) -> SockAddr {
    SocketAddr::from(([127, 0, 0, 1], port)).into()
}

/// Waits until something is so.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of a test's own, empty.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// `queue-trace serve ARGS`, without the configuration of this machine.
pub(crate) fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_queue-trace"));
    command.arg("serve").args(arguments).env_clear().stderr(Stdio::piped());
    // Tests run at the same time.
    command.env("QUEUE_TRACE_HTTP_LISTEN", "127.0.0.1:0");
    command
}

/// The same as an ordinary user, who may not be able to reach the build folder: hence a copy.
pub(crate) fn serve_as_nobody(arguments: &[&str]) -> Command {
    let copy = std::env::temp_dir().join(format!("queue-trace-serve-{}", std::process::id()));
    if !copy.exists() {
        let part = copy.with_extension(format!("{:?}", thread::current().id()));
        std::fs::copy(env!("CARGO_BIN_EXE_queue-trace"), &part).unwrap();
        std::fs::set_permissions(&part, Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&part, &copy).unwrap();
    }
    let mut command = Command::new(copy);
    command.arg("serve").args(arguments).env_clear().stderr(Stdio::piped());
    // Tests run at the same time.
    command.env("QUEUE_TRACE_HTTP_LISTEN", "127.0.0.1:0");
    command.current_dir("/").uid(NOBODY).gid(NOBODY);
    command
}

/// A daemon, and what it logs.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Daemon {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let log = child.stderr.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line with this in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("waited in vain for {part:?} among {:#?}", self.seen);
                }
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a service manager does; its status and all lines that were not waited for.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        (status, self.lines.iter().collect())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
