//! `accept()` in ways that fail.

use std::io;
use std::os::fd::AsRawFd;

use super::server::Server;

impl Server {
    /// The error of a call that does not wait.
    pub(crate) fn poll(&self) -> i32 {
        self.socket.set_nonblocking(true).unwrap();
        let error = self.accept_error();
        self.socket.set_nonblocking(false).unwrap();
        error
    }

    /// The error of a call.
    pub(crate) fn accept_error(&self) -> i32 {
        self.socket.accept().unwrap_err().raw_os_error().unwrap()
    }

    /// The error of a call that is to write the client's address where nothing can be written.
    pub(crate) fn accept_into_nowhere(&self) -> i32 {
        let mut size: libc::socklen_t = 128;
        let nowhere = 8 as *mut libc::sockaddr;
        // SAFETY: the kernel tests the address that it writes to; the size is an integer of ours.
        let result = unsafe { libc::accept4(self.socket.as_raw_fd(), nowhere, &raw mut size, 0) };
        let error = io::Error::last_os_error();
        assert_eq!(result, -1);
        error.raw_os_error().unwrap()
    }

    /// The same listener, for another thread.
    pub(crate) fn waiter(&self) -> Self {
        Self { socket: self.socket.try_clone().unwrap(), address: self.address }
    }
}
