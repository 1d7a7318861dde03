//! Ends a socket from outside, as `ss --kill` does (`SOCK_DESTROY`, include/uapi/linux/sock_diag.h).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `SOCK_DESTROY`.
const DESTROY: u16 = 21;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS: u16 = 1 | 4;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const SIZE: usize = 16 + 56;

/// Ends the one between these two addresses in the calling thread's namespace.
pub(crate) fn destroy(local: SocketAddr, remote: SocketAddr) {
    let family = if local.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let mut request = Vec::with_capacity(SIZE);
    request.extend((SIZE as u32).to_ne_bytes());
    request.extend(DESTROY.to_ne_bytes());
    request.extend(FLAGS.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    // In whatever state it is.
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(local.port().to_be_bytes());
    request.extend(remote.port().to_be_bytes());
    request.extend(octets(local.ip()));
    request.extend(octets(remote.ip()));
    // On any device, and whatever its cookie is (`INET_DIAG_NOCOOKIE`).
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    assert_eq!(request.len(), SIZE);
    assert_eq!(ask(&request), 0, "cannot end what is between {local} and {remote}");
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}

/// Sends a request; the kernel's answer, 0 or an error number below zero (`struct nlmsgerr`).
fn ask(request: &[u8]) -> i32 {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: makes a descriptor, nothing else.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
    assert!(socket >= 0, "netlink socket: {}", io::Error::last_os_error());
    // SAFETY: the descriptor was just made and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: pointer and size describe the request.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    assert_eq!(sent, request.len() as isize, "{}", io::Error::last_os_error());
    let mut answer = [0; 512];
    // SAFETY: pointer and size describe the buffer.
    let size =
        unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    assert!(size >= 20, "netlink answer of {size} bytes");
    i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]])
}
