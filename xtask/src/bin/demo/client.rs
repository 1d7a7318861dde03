//! A client that wants one byte from the server.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

/// What is between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Good,
    /// Whatever the server answers at first is lost.
    LosesFirstAnswer,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// From the first SYN to the answer.
    pub(crate) took: Duration,
}

/// Connects and waits for the answer, in a thread of its own.
pub(crate) fn visit(server: SocketAddr, link: Link) -> JoinHandle<Result<Visit>> {
    std::thread::spawn(move || {
        let start = Instant::now();
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        if link == Link::LosesFirstAnswer {
            set_deaf(&socket, true)?;
        }
        std::thread::scope(|scope| {
            if link == Link::LosesFirstAnswer {
                scope.spawn(|| {
                    sleep(Duration::from_millis(700));
                    set_deaf(&socket, false)
                });
            }
            connect(&socket, &server).context("cannot connect")
        })?;
        let mut answer = [0];
        TcpStream::from(socket).read_exact(&mut answer).context("no answer")?;
        Ok(Visit { took: start.elapsed() })
    })
}

/// Makes a socket lose every packet that comes for it, as a bad link would.
fn set_deaf(socket: &OwnedFd, deaf: bool) -> Result<()> {
    // `return 0`: take no byte of any packet.
    let mut nothing =
        libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    let option = if deaf { libc::SO_ATTACH_FILTER } else { libc::SO_DETACH_FILTER };
    // SAFETY: the kernel reads the program and its one instruction, both alive here, and keeps a copy.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()).context("no filter") }
}
