//! Processes that accept connections of a listener which they share with others, as workers of a
//! server do.

use std::io::Read;
use std::os::fd::AsRawFd;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

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
        let (told, tell) = std::io::pipe().unwrap();
        let (listener, tell_to) = (server.socket.as_raw_fd(), tell.as_raw_fd());
        // SAFETY: the child makes system calls only, until it is killed.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            loop {
                // SAFETY: descriptors of ours; no address is wanted; one byte is written.
                unsafe {
                    let socket = libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut());
                    if socket >= 0 {
                        libc::write(tell_to, c"1".as_ptr().cast(), 1);
                        libc::close(socket);
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
