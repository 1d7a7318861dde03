//! Listening sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::panic::Location;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::client::Client;
use super::family::Family;
use super::netstat;
use super::sockopt::{CLOSE_WAIT, set_tcp, tcp_info};
use super::wait::{self, PATIENCE};

/// Bit of the TCP header's flags.
const SYN: u32 = 0x02;

/// A listener that accepts when told to.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) socket: Socket,
    pub(crate) address: SocketAddr,
}

/// A connection that was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) client: SocketAddr,
    /// Just before `accept()` was called.
    pub(crate) called: Instant,
    /// Just after it returned.
    pub(crate) returned: Instant,
}

impl Server {
    /// A socket bound to `address`, not listening yet. One on an IPv6 address is for IPv6 alone.
    pub(crate) fn bound(address: SocketAddr) -> Socket {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(true).unwrap();
        }
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket
    }

    /// A socket that shares its address with others, not bound yet.
    fn shared(address: SocketAddr) -> Socket {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(true).unwrap();
        }
        socket.set_reuse_port(true).unwrap();
        socket
    }

    /// A socket bound to a port of every device, for IPv6 and IPv4.
    pub(crate) fn bound_dual_stack(port: u16) -> Socket {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_only_v6(false).unwrap();
        socket.bind(&Family::V6.wildcard(port).into()).unwrap();
        socket
    }

    /// `listen(backlog)` on `address`.
    pub(crate) fn listen(address: SocketAddr, backlog: i32) -> Self {
        Self::start(Self::bound(address), backlog)
    }

    /// The same with `SO_REUSEPORT`: others can have the address too.
    pub(crate) fn listen_in_group(address: SocketAddr, backlog: i32) -> Self {
        Self::start(Self::bound_in_group(address), backlog)
    }

    /// A socket bound to an address that others can have too, not listening yet.
    pub(crate) fn bound_in_group(address: SocketAddr) -> Socket {
        let socket = Self::shared(address);
        socket.bind(&address.into()).unwrap();
        socket
    }

    /// The same for one device only.
    pub(crate) fn listen_on_device(address: SocketAddr, device: &str, backlog: i32) -> Self {
        let socket = Self::shared(address);
        socket.bind_device(Some(device.as_bytes())).unwrap();
        socket.bind(&address.into()).unwrap();
        Self::start(socket, backlog)
    }

    /// The same with `TCP_DEFER_ACCEPT`: a bare final ACK does not make a connection.
    pub(crate) fn listen_deferring(address: SocketAddr, backlog: i32) -> Self {
        let socket = Self::bound(address);
        // Longer than any scenario takes.
        set_tcp(&socket, libc::TCP_DEFER_ACCEPT, 60);
        Self::start(socket, backlog)
    }

    /// `listen(backlog)` on a bound socket.
    pub(crate) fn start(socket: Socket, backlog: i32) -> Self {
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        socket.listen(backlog).unwrap();
        // Also the timeout of accept(): a scenario that goes wrong must not hang.
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, address }
    }

    /// From now on only those processes have the listener that were forked with it.
    pub(crate) fn let_go(&mut self) {
        let domain = Domain::for_address(self.address);
        self.socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
    }

    /// `shutdown()`: it is a listener no more, and may be one again.
    pub(crate) fn shut_down(&self) {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// `listen()` again, with another backlog.
    pub(crate) fn listen_again(&self, backlog: i32) {
        self.socket.listen(backlog).unwrap();
    }

    /// How many SYN-ACKs of a request go unanswered before it is given up, instead of the sysctl.
    pub(crate) fn set_synack_retries(&self, retries: i32) {
        set_tcp(&self.socket, libc::TCP_SYNCNT, retries);
    }

    /// From now on the listener hears SYNs only: ACKs are lost on the way to it.
    pub(crate) fn lose_acks(&self) {
        let filter = [
            // The flags of the TCP header, at which the filter of a TCP socket begins.
            SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, 13),
            SockFilter::new((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16, 1, 0, SYN),
            SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
            SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::MAX),
        ];
        self.socket.attach_filter(&filter).unwrap();
    }

    /// From now on it hears everything.
    pub(crate) fn hear_acks(&self) {
        self.socket.detach_filter().unwrap();
    }

    /// Accepts one connection, waiting for it.
    #[track_caller]
    pub(crate) fn accept(&self) -> Accepted {
        let caller = Location::caller();
        let called = Instant::now();
        // In a guest that stood still, the timeout may end before the timers that bring the connection.
        let once_more = |error: io::Error| match error.kind() {
            ErrorKind::WouldBlock => self.socket.accept(),
            _ => Err(error),
        };
        let accepted = self.socket.accept().or_else(once_more);
        let (socket, client) = accepted.unwrap_or_else(|error| {
            let (depth, limit) = self.accept_queue();
            panic!(
                "accept() at {} failed after {:?}: {error}; {depth}/{limit} wait, {} half-open; at {caller}",
                self.address,
                called.elapsed(),
                self.half_open()
            )
        });
        let returned = Instant::now();
        Accepted { socket, client: client.as_socket().unwrap(), called, returned }
    }

    /// Accepts that many connections.
    #[track_caller]
    pub(crate) fn accept_all(&self, count: usize) -> Vec<Accepted> {
        let mut all = Vec::with_capacity(count);
        // A closure would not know who called.
        for _ in 0..count {
            all.push(self.accept());
        }
        all
    }

    /// Depth and limit of the accept queue: `sk_ack_backlog` and `sk_max_ack_backlog`, which the
    /// kernel puts into these two fields for a listener (`tcp_get_info`).
    pub(crate) fn accept_queue(&self) -> (u32, u32) {
        let info = tcp_info(&self.socket);
        (info.tcpi_unacked, info.tcpi_sacked)
    }

    /// Depth of the accept queue.
    pub(crate) fn depth(&self) -> u32 {
        self.accept_queue().0
    }

    /// Connects clients one by one until that many connections wait.
    pub(crate) fn fill(&self, depth: u32) -> Vec<Client> {
        (self.depth()..depth).map(|_| self.queue(self.address)).collect()
    }

    /// Connects a client to this address of the listener's. The connection is in the queue before the next one comes: a
    /// handshake may go on after `connect()` returned, by another processor or by `ksoftirqd`.
    #[track_caller]
    pub(crate) fn queue(&self, address: SocketAddr) -> Client {
        let next = self.depth() + 1;
        let client = Client::connect(address);
        wait::until("a connection to be queued", || self.depth() == next);
        client
    }

    /// Half-open requests on its port.
    pub(crate) fn half_open(&self) -> u64 {
        netstat::half_open(self.address.port())
    }
}

impl Accepted {
    /// Whether the client has closed its side.
    pub(crate) fn is_at_end(&self) -> bool {
        tcp_info(&self.socket).tcpi_state == CLOSE_WAIT
    }

    /// Closes with a RST.
    pub(crate) fn reset(self) {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads until `size` bytes have come.
    pub(crate) fn read(&self, size: usize) -> Vec<u8> {
        use std::io::Read;
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = vec![0; size];
        (&self.socket).read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The least and the most that this connection can have waited, if it entered the queue between
    /// these two moments.
    ///
    /// The kernel's stamp of a connection is made when the final ACK is done with (`tcp_init_buffer_space()`),
    /// somewhat after it shows in the queue: a processor of the guest can be held up in between.
    pub(crate) fn wait_bounds(&self, earliest: Instant, latest: Instant) -> (Duration, Duration) {
        const HELD_UP: Duration = Duration::from_millis(50);
        (self.called.saturating_duration_since(latest + HELD_UP), self.returned - earliest)
    }
}
