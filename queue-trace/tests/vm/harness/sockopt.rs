//! Socket options that no crate has.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

/// `TCP_ESTABLISHED`, a state in `struct tcp_info`.
pub(crate) const ESTABLISHED: u8 = 1;

/// `TCP_CLOSE_WAIT`.
pub(crate) const CLOSE_WAIT: u8 = 8;

/// Sets an option of `IPPROTO_TCP` whose value is an `int`.
pub(crate) fn set_tcp(socket: &impl AsRawFd, option: libc::c_int, value: libc::c_int) {
    set(socket, option, &value).unwrap_or_else(|error| panic!("setsockopt {option}: {error}"));
}

/// Sets an option of `IPPROTO_TCP`, which a kernel may not have.
pub(crate) fn set<T>(socket: &impl AsRawFd, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: pointer and size describe a value that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `TCP_INFO` of a socket.
pub(crate) fn tcp_info(socket: &impl AsRawFd) -> libc::tcp_info {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: pointer and size describe the structure; the kernel writes at most that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    assert_eq!(result, 0, "TCP_INFO: {}", io::Error::last_os_error());
    // SAFETY: plain integers, all of them written by us as zeros or by the kernel.
    unsafe { info.assume_init() }
}
