//! A pair of veth devices as a wire: one end in the scenario's namespace, the other in another one
//! with an address, where clients can live, and behind which are all the addresses that crafted
//! packets come from.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc::channel;
use std::thread;

use rustix::thread::{
    LinkNameSpaceType, UnshareFlags, gettid, move_into_link_name_space, unshare_unsafe,
};

use super::family::Family;
use super::namespace::ip;
use super::wire::{Device, Wire};

/// Hardware address of the end in the scenario's namespace.
const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The other namespace.
#[derive(Debug)]
pub(crate) struct Beyond(File);

/// The wire, and what is at its other end.
pub(crate) fn lay(family: Family) -> (Wire, Beyond) {
    prepare();
    ip(&["link", "add", "wire", "type", "veth"]);
    ip(&["link", "set", "wire", "address", "02:00:00:00:00:01"]);
    let (tell, told) = channel();
    let (moved, go_on) = channel::<()>();
    let beyond = thread::spawn(move || {
        // SAFETY: descriptors stay shared; only the network namespace is left.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("cannot make a namespace");
        prepare();
        tell.send(gettid().as_raw_nonzero().to_string()).unwrap();
        go_on.recv().unwrap();
        ip(&["link", "set", "lo", "up"]);
        ip(&["link", "set", "veth0", "up"]);
        match family {
            Family::V4 => ip(&["addr", "add", "10.9.0.2/24", "dev", "veth0"]),
            Family::V6 => {
                ip(&["-6", "addr", "add", "fd09::2/112", "dev", "veth0"]);
                // Without a route, IPv6 would tell the sender of each packet for a crafted client.
                ip(&["-6", "route", "add", "fd09::/64", "dev", "lo"]);
            }
        }
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        (Beyond(namespace), Port::open(family))
    });
    ip(&["link", "set", "veth0", "netns", &told.recv().unwrap()]);
    ip(&["link", "set", "wire", "up"]);
    moved.send(()).unwrap();
    match family {
        Family::V4 => ip(&["addr", "add", "10.9.0.1/24", "brd", "10.9.255.255", "dev", "wire"]),
        Family::V6 => ip(&["-6", "addr", "add", "fd09::1/112", "dev", "wire"]),
    }
    let (beyond, port) = beyond.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    route(family, "add");
    (Wire::new(Box::new(port), family), beyond)
}

/// Adds the route to the addresses behind the other end (`add`), or takes it away (`del`).
pub(crate) fn route(family: Family, action: &str) {
    match family {
        Family::V4 => ip(&["route", action, "10.9.0.0/16", "via", "10.9.0.2"]),
        Family::V6 => ip(&["-6", "route", action, "fd09::/64", "via", "fd09::2"]),
    }
}

/// An IPv6 address can be used at once: nobody else can have it.
fn prepare() {
    for setting in ["default/accept_dad", "all/accept_dad", "default/dad_transmits"] {
        let path = format!("/proc/sys/net/ipv6/conf/{setting}");
        std::fs::write(path, "0").unwrap();
    }
}

impl Beyond {
    /// Runs `work` there.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = || {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                    .unwrap();
                work()
            };
            scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// A packet socket at the other end: sees what comes and sends what it likes.
#[derive(Debug)]
struct Port {
    socket: OwnedFd,
    to: libc::sockaddr_ll,
}

impl Port {
    fn open(family: Family) -> Self {
        let protocol = match family {
            Family::V4 => libc::ETH_P_IP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        let protocol = (protocol as u16).to_be();
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: makes a descriptor, nothing else.
        let socket = unsafe { libc::socket(libc::AF_PACKET, kind, protocol.into()) };
        assert!(socket >= 0, "packet socket: {}", io::Error::last_os_error());
        // SAFETY: the descriptor was just made and is nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // SAFETY: all zeros is a value of this structure of integers.
        let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_protocol = protocol;
        // SAFETY: the name is a C string.
        to.sll_ifindex = unsafe { libc::if_nametoindex(c"veth0".as_ptr()) } as i32;
        to.sll_halen = 6;
        to.sll_addr[..6].copy_from_slice(&HERE);
        // SAFETY: pointer and size describe the address.
        let bound = unsafe {
            libc::bind(socket.as_raw_fd(), (&raw const to).cast(), size_of_val(&to) as u32)
        };
        assert_eq!(bound, 0, "packet socket: {}", io::Error::last_os_error());
        Self { socket, to }
    }
}

impl Device for Port {
    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        // SAFETY: pointers and sizes describe the packet and the address.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const self.to).cast(),
                size_of_val(&self.to) as u32,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn receive(&self, packet: &mut [u8]) -> io::Result<usize> {
        let (buffer, size) = (packet.as_mut_ptr().cast(), packet.len());
        // SAFETY: pointer and size describe the buffer.
        let received = unsafe { libc::recv(self.socket.as_raw_fd(), buffer, size, 0) };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    }
}
