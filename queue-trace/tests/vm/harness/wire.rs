//! A wire into the scenario's namespace: what is written to it arrives there from outside, what the
//! kernel sends to the addresses behind it can be read. Nobody lives at those addresses.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::family::Family;
use super::namespace::ip;
use super::packets::{self, Reply};
use super::processor;
use super::wait;

const NAME: &str = "wire";

/// The end of a wire that is outside; threads can share it.
pub(crate) trait Device: std::fmt::Debug + Sync {
    /// Sends an IP packet.
    fn send(&self, packet: &[u8]) -> std::io::Result<usize>;
    /// Receives an IP packet, if one is there.
    fn receive(&self, packet: &mut [u8]) -> std::io::Result<usize>;
}

impl Device for File {
    fn send(&self, packet: &[u8]) -> std::io::Result<usize> {
        (&*self).write(packet)
    }

    fn receive(&self, packet: &mut [u8]) -> std::io::Result<usize> {
        (&*self).read(packet)
    }
}

/// A tun device, or a pair of veth devices.
#[derive(Debug)]
pub(crate) struct Wire {
    device: Box<dyn Device>,
    family: Family,
    syns: Cell<u64>,
    replies: RefCell<Vec<Reply>>,
}

impl Wire {
    /// Lays a wire into the calling thread's namespace.
    pub(crate) fn lay(family: Family) -> Self {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .expect("cannot open /dev/net/tun");
        attach(&device);
        // Room for every SYN-ACK of a flood, and for those sent again: one that finds none counts as
        // unsendable and ends its request.
        ip(&["link", "set", NAME, "qlen", "20000", "up"]);
        match family {
            Family::V4 => ip(&["addr", "add", "10.9.0.1/16", "dev", NAME]),
            Family::V6 => ip(&["-6", "addr", "add", "fd09::1/64", "dev", NAME]),
        }
        Self::new(Box::new(device), family)
    }

    /// A wire with this end.
    pub(crate) fn new(device: Box<dyn Device>, family: Family) -> Self {
        let wire = Self { device, family, syns: Cell::new(0), replies: RefCell::default() };
        // The kernel makes an IPv6 address usable from a work queue, a moment later.
        wait::until("the address to be usable", || UdpSocket::bind(wire.server(0)).is_ok());
        wire
    }

    /// Where servers listen.
    pub(crate) fn server(&self, port: u16) -> SocketAddr {
        let address: IpAddr = match self.family {
            Family::V4 => Ipv4Addr::new(10, 9, 0, 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, 1).into(),
        };
        (address, port).into()
    }

    /// An address of no single host: broadcast for IPv4, all hosts for IPv6.
    pub(crate) fn everybody(&self, port: u16) -> SocketAddr {
        let address: IpAddr = match self.family {
            Family::V4 => Ipv4Addr::new(10, 9, 255, 255).into(),
            Family::V6 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(),
        };
        (address, port).into()
    }

    /// A client behind the wire; each number has its own address.
    pub(crate) fn client(&self, number: u16) -> SocketAddr {
        let [high, low] = (number + 256).to_be_bytes();
        let address: IpAddr = match self.family {
            Family::V4 => Ipv4Addr::new(10, 9, high, low).into(),
            Family::V6 => Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 9, number).into(),
        };
        (address, 40_000).into()
    }

    /// Sends a packet into the namespace.
    pub(crate) fn send(&self, packet: &[u8]) {
        assert_eq!(self.device.send(packet).unwrap(), packet.len());
    }

    /// Sends a SYN.
    pub(crate) fn syn(&self, from: SocketAddr, to: SocketAddr) {
        self.send(&packets::syn(from, to));
        self.syns.set(self.syns.get() + 1);
    }

    /// Sends the same SYN from two processors at the same time.
    pub(crate) fn syn_twice(&self, from: SocketAddr, to: SocketAddr) {
        self.send_twice(&packets::syn(from, to));
        self.syns.set(self.syns.get() + 2);
    }

    /// Sends a packet from two processors at the same time, as nearly as can be.
    pub(crate) fn send_twice(&self, packet: &[u8]) {
        let device = &*self.device;
        self.send_while(packet, || assert_eq!(device.send(packet).unwrap(), packet.len()));
    }

    /// Sends a packet while another processor does something.
    pub(crate) fn send_while(&self, packet: &[u8], action: impl FnOnce() + Send) {
        let (device, ready) = (&*self.device, &AtomicU32::new(0));
        let meet = move |processor| {
            processor::keep_on(processor, None);
            ready.fetch_add(1, Ordering::Relaxed);
            while ready.load(Ordering::Relaxed) < 2 {
                std::hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            scope.spawn(move || {
                meet(0);
                assert_eq!(device.send(packet).unwrap(), packet.len());
            });
            scope.spawn(move || {
                meet(1);
                action();
            });
        });
    }

    /// Sends a SYN of another shape.
    pub(crate) fn crafted_syn(&self, packet: &[u8]) {
        self.send(packet);
        self.syns.set(self.syns.get() + 1);
    }

    /// Sends one SYN from each of that many clients.
    pub(crate) fn flood(&self, clients: std::ops::Range<u16>, to: SocketAddr) {
        clients.for_each(|number| self.syn(self.client(number), to));
    }

    /// How many SYNs were sent.
    pub(crate) fn syns_sent(&self) -> u64 {
        self.syns.get()
    }

    /// Waits for a reply to a client that satisfies a condition, the first one.
    #[track_caller]
    pub(crate) fn reply(&self, client: SocketAddr, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let mut found = None;
        wait::until("a reply on the wire", || {
            self.read();
            let replies = self.replies.borrow();
            found = replies.iter().find(|reply| reply.client == client && wanted(reply)).copied();
            found.is_some()
        });
        found.unwrap()
    }

    /// Sends a SYN and waits for its SYN-ACK.
    #[track_caller]
    pub(crate) fn half_open(&self, client: SocketAddr, server: SocketAddr) -> Reply {
        self.syn(client, server);
        self.reply(client, |reply| reply.port == server.port() && reply.is_synack())
    }

    /// What has come since the last call, without waiting.
    pub(crate) fn answers(&self) -> Vec<Reply> {
        self.read();
        self.replies.take()
    }

    /// Throws away what has come.
    pub(crate) fn drain(&self) {
        let mut packet = [0; 2048];
        while self.device.receive(&mut packet).is_ok() {}
    }

    /// Takes what has come.
    fn read(&self) {
        let mut packet = [0; 2048];
        loop {
            match self.device.receive(&mut packet) {
                Ok(size) => self.replies.borrow_mut().extend(Reply::parse(&packet[..size])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("cannot read from the wire: {error}"),
            }
        }
    }
}

/// Makes an open `/dev/net/tun` a device of the calling thread's namespace.
fn attach(device: &File) {
    // SAFETY: all zeros is a value of this structure of integers and bytes.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(NAME.bytes()) {
        *to = from as libc::c_char;
    }
    // Whole IP packets, nothing before them.
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives through the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(result, 0, "TUNSETIFF: {}", std::io::Error::last_os_error());
}
