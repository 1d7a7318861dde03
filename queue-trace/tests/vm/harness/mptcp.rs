//! MPTCP: its sockets, and its path manager's settings by generic netlink
//! (`include/uapi/linux/mptcp.h`).

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{FromRawFd, OwnedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::client::Client;

const COMMAND_ADD_ADDRESS: u8 = 1;
const COMMAND_SET_LIMITS: u8 = 5;
const ADDRESS: u16 = 1 | libc::NLA_F_NESTED as u16;
const ADDRESSES_RECEIVED: u16 = 2;
const SUBFLOWS: u16 = 3;
const ADDRESS_FAMILY: u16 = 1;
const ADDRESS_V4: u16 = 3;
const ADDRESS_V6: u16 = 4;
const ADDRESS_FLAGS: u16 = 6;
/// Flag: open subflows from here.
const FLAG_SUBFLOW: u32 = 1 << 1;

fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let domain = Domain::for_address(address);
    Socket::new(domain, Type::STREAM, Some(Protocol::from(libc::IPPROTO_MPTCP)))
}

/// Whether the kernel has it.
pub(crate) fn is_there() -> bool {
    socket(SocketAddr::from(([0; 4], 0))).is_ok()
}

/// A socket bound to an address.
pub(crate) fn bound(address: SocketAddr) -> Socket {
    let socket = socket(address).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// A client that speaks MPTCP, at this address.
pub(crate) fn connect(from: IpAddr, server: SocketAddr) -> Client {
    let socket = socket(server).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    Client::begin(socket, server)
}

/// Lets connections of this namespace have more subflows.
pub(crate) fn allow_subflows() {
    let two = 2_u32.to_ne_bytes();
    let attributes = [attribute(ADDRESSES_RECEIVED, &two), attribute(SUBFLOWS, &two)].concat();
    manage(COMMAND_SET_LIMITS, &attributes);
}

/// Has clients of this namespace open a subflow from this address too.
pub(crate) fn add_endpoint(address: IpAddr) {
    let (family, address) = match address {
        IpAddr::V4(ip) => (libc::AF_INET, attribute(ADDRESS_V4, &ip.octets())),
        IpAddr::V6(ip) => (libc::AF_INET6, attribute(ADDRESS_V6, &ip.octets())),
    };
    let inner = [
        attribute(ADDRESS_FAMILY, &(family as u16).to_ne_bytes()),
        address,
        attribute(ADDRESS_FLAGS, &FLAG_SUBFLOW.to_ne_bytes()),
    ];
    manage(COMMAND_ADD_ADDRESS, &attribute(ADDRESS, &inner.concat()));
}

/// Sends a command to the path manager.
fn manage(command: u8, attributes: &[u8]) {
    const CONTROL: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const FAMILY_NAME: u16 = 2;
    const FAMILY_ID: u16 = 1;
    // SAFETY: makes a descriptor, nothing else.
    let netlink = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC) };
    assert!(netlink >= 0, "netlink: {}", std::io::Error::last_os_error());
    // SAFETY: the descriptor was just made and is nobody else's.
    let netlink = File::from(unsafe { OwnedFd::from_raw_fd(netlink) });
    let reply = request(&netlink, CONTROL, GET_FAMILY, &attribute(FAMILY_NAME, b"mptcp_pm\0"));
    // Behind both headers.
    let mut rest = &reply[20..];
    let family = loop {
        let size = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        if u16::from_ne_bytes([rest[2], rest[3]]) == FAMILY_ID {
            break u16::from_ne_bytes([rest[4], rest[5]]);
        }
        rest = &rest[size.next_multiple_of(4)..];
    };
    let reply = request(&netlink, family, command, attributes);
    let error = i32::from_ne_bytes(reply[16..20].try_into().unwrap());
    assert_eq!(error, 0, "MPTCP's path manager: {}", std::io::Error::from_raw_os_error(-error));
}

/// Sends a request and gives the first message of the answer.
fn request(mut netlink: &File, kind: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    const HEADERS: usize = 20;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut message = ((HEADERS + attributes.len()) as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(attributes);
    netlink.write_all(&message).unwrap();
    let mut reply = vec![0; 1 << 14];
    let size = netlink.read(&mut reply).unwrap();
    reply.truncate(size);
    let is_error = reply[4..6] == (libc::NLMSG_ERROR as u16).to_ne_bytes();
    if !is_error {
        // Its acknowledgement comes by itself.
        let _ = netlink.read(&mut [0; 1 << 14]).unwrap();
    }
    reply
}

/// Kind, length and value, filled up to a multiple of four.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
