//! Processes that accept connections of a listener which they share with others, as workers of a
//! server do, and one that has it from another.

use std::io::Read;
use std::os::fd::AsRawFd;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use socket2::Socket;

use super::server::Server;

/// One of them.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// Where it writes one byte for each connection.
    told: std::io::PipeReader,
    accepted: Option<u64>,
}

impl Process {
    /// Forks a process that accepts and closes, for ever.
    pub(crate) fn accepting(server: &Server) -> Self {
        Self::accepting_only(server, u64::MAX)
    }

    /// Forks a process that accepts and closes that many, and then idles.
    pub(crate) fn accepting_only(server: &Server, count: u64) -> Self {
        let (told, tell) = std::io::pipe().unwrap();
        let (listener, tell_to) = (server.socket.as_raw_fd(), tell.as_raw_fd());
        // SAFETY: the child makes system calls only, until it is killed.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let mut left = count;
            loop {
                // SAFETY: descriptors of ours; no address is wanted; one byte is written.
                unsafe {
                    if left == 0 {
                        libc::pause();
                        continue;
                    }
                    let socket = libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut());
                    if socket >= 0 {
                        libc::write(tell_to, c"1".as_ptr().cast(), 1);
                        libc::close(socket);
                        left -= 1;
                    }
                }
            }
        }
        let pid = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0);
        Self { pid: pid.expect("cannot fork"), told, accepted: None }
    }

    /// Ends it. It must have nothing to do any more.
    pub(crate) fn end(&mut self) {
        kill_process(self.pid, Signal::KILL).unwrap();
        waitpid(Some(self.pid), WaitOptions::empty()).unwrap();
        let mut bytes = Vec::new();
        self.told.read_to_end(&mut bytes).unwrap();
        self.accepted = Some(bytes.len() as u64);
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// How many connections it accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.expect("it has not ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failure.
        if self.accepted.is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = waitpid(Some(self.pid), WaitOptions::empty());
        }
    }
}

/// A listener whose opener is gone: its child has it.
#[derive(Debug)]
pub(crate) struct HandedOn {
    opener: Pid,
    heir: Pid,
}

impl HandedOn {
    /// Forks a process that calls `listen()` and ends when it has forked another one; nobody else keeps the
    /// socket.
    pub(crate) fn listening(socket: Socket, backlog: i32) -> Self {
        let (mut told, tell) = std::io::pipe().unwrap();
        let (listener, tell_to) = (socket.as_raw_fd(), tell.as_raw_fd());
        // SAFETY: the children make system calls only, until they are killed.
        let opener = unsafe { libc::fork() };
        if opener == 0 {
            // SAFETY: descriptors of ours; the bytes of an integer are written.
            unsafe {
                libc::listen(listener, backlog);
                let heir = libc::fork();
                if heir == 0 {
                    loop {
                        libc::pause();
                    }
                }
                libc::write(tell_to, (&raw const heir).cast(), size_of_val(&heir));
                libc::_exit(0);
            }
        }
        drop((socket, tell));
        let opener = Pid::from_raw(opener).expect("cannot fork");
        waitpid(Some(opener), WaitOptions::empty()).unwrap();
        let mut heir = [0; size_of::<i32>()];
        told.read_exact(&mut heir).unwrap();
        let heir = Pid::from_raw(i32::from_ne_bytes(heir)).expect("the opener cannot fork");
        Self { opener, heir }
    }

    /// The number of the process that called `listen()`.
    pub(crate) fn opener(&self) -> u32 {
        self.opener.as_raw_nonzero().get().cast_unsigned()
    }

    /// The number of the process that has the listener.
    pub(crate) fn heir(&self) -> u32 {
        self.heir.as_raw_nonzero().get().cast_unsigned()
    }
}

impl Drop for HandedOn {
    fn drop(&mut self) {
        // It is a child of process 1 by now.
        let _ = kill_process(self.heir, Signal::KILL);
    }
}
