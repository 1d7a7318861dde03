//! Keys of TCP-AO (RFC 5925; `struct tcp_ao_add` in `include/uapi/linux/tcp.h`, from Linux 6.7 on).

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use super::client::Client;
use super::sockopt;

const TCP_AO_ADD_KEY: libc::c_int = 38;
const KEY: &[u8] = b"a key for tests";

/// `struct tcp_ao_add`.
#[repr(C, align(8))]
struct Key {
    peer: libc::sockaddr_storage,
    algorithm: [u8; 64],
    device: i32,
    flags: u32,
    reserved: u16,
    prefix: u8,
    sends: u8,
    receives: u8,
    code_length: u8,
    key_flags: u8,
    length: u8,
    key: [u8; 80],
}

/// Whether the kernel has it.
pub(crate) fn is_there(address: SocketAddr) -> bool {
    add_key(&Client::socket(address), address, 1, 1).is_ok()
}

/// Gives a socket the key for every peer of the address's family, with the numbers by which it is named in what is sent
/// and in what is received.
pub(crate) fn add_key(
    socket: &impl AsRawFd,
    address: SocketAddr,
    sends: u8,
    receives: u8,
) -> io::Result<()> {
    // SAFETY: all zeros is a value of this structure of integers and bytes: any address, any device.
    let mut key: Key = unsafe { std::mem::zeroed() };
    key.peer.ss_family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u16;
    let algorithm = b"hmac(sha1)";
    key.algorithm[..algorithm.len()].copy_from_slice(algorithm);
    (key.sends, key.receives, key.length) = (sends, receives, KEY.len() as u8);
    key.key[..KEY.len()].copy_from_slice(KEY);
    sockopt::set(socket, TCP_AO_ADD_KEY, &key)
}
