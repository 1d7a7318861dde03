//! TCP sockets as the kernel lists them over `sock_diag`, without BPF and without privileges.
//!
//! Everything here sees the network namespace of the *calling thread*;
//! [`crate::procfs::Namespace::run`] puts a thread into another one.

mod dump;
mod half_open;
mod listener;

use std::io;

pub use half_open::{HalfOpen, Request, SynQueues};
pub use listener::{Listener, listeners};

/// Why the kernel's list of sockets could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `CONFIG_INET_TCP_DIAG` is off, or its module is neither loaded nor loadable.
    #[error(
        "this kernel does not list TCP sockets: as root, load the module with `modprobe tcp_diag`"
    )]
    NoTcpDiag,
    /// A system call failed.
    #[error("cannot read the list of TCP sockets from the kernel (sock_diag): {0}")]
    Io(#[from] io::Error),
    /// An answer this program does not understand.
    #[error("the kernel's list of TCP sockets is malformed, please report it: {0}")]
    Malformed(#[from] netlink_packet_core::DecodeError),
    /// The kernel said of every attempt that the list changed under it (`NLM_F_DUMP_INTR`).
    #[error("the list of TCP sockets changed during each of {0} attempts to read it: try again")]
    Interrupted(u32),
}

impl From<rustix::io::Errno> for Error {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Name of the network device `index` in the calling thread's network namespace, if it exists.
pub fn device_name(index: u32) -> Option<String> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};
    // Any socket will do: it only says which namespace is meant.
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
    netdevice::index_to_name(&socket, index).ok()
}
