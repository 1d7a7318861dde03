//! Connecting sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::sockopt::{CLOSE_WAIT, ESTABLISHED, tcp_info};
use super::wait;

/// A connection, or the attempt at one; non-blocking.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    /// Its own address.
    pub(crate) address: SocketAddr,
    /// Just before `connect()` was called.
    pub(crate) called: Instant,
}

impl Client {
    /// Sends a SYN. Over loopback the whole handshake usually happens within this call.
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::begin(Self::socket(server), server)
    }

    /// A non-blocking socket with a port of its own: those that `connect()` chooses are shared by
    /// clients of different servers, whose events could not be told apart by the client's address.
    pub(crate) fn socket(server: SocketAddr) -> Socket {
        let domain = Domain::for_address(server);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let anywhere = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        socket.bind(&anywhere.into()).unwrap();
        socket
    }

    /// Sends a SYN from a socket of this kind.
    pub(crate) fn begin(socket: Socket, server: SocketAddr) -> Self {
        let called = Instant::now();
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            result => result.unwrap(),
        }
        Self::begun(socket, called)
    }

    /// A client whose SYN is sent.
    pub(crate) fn begun(socket: Socket, called: Instant) -> Self {
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket, address, called }
    }

    /// That many, one after the other.
    pub(crate) fn connect_many(server: SocketAddr, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::connect(server)).collect()
    }

    /// Whether the client thinks that it is connected.
    pub(crate) fn is_connected(&self) -> bool {
        tcp_info(&self.socket).tcpi_state == ESTABLISHED
    }

    /// The same, also when the listener's side has closed already.
    pub(crate) fn was_connected(&self) -> bool {
        [ESTABLISHED, CLOSE_WAIT].contains(&tcp_info(&self.socket).tcpi_state)
    }

    /// Waits until the client thinks that it is connected.
    pub(crate) fn wait_connected(&self) {
        wait::until("a connection", || self.is_connected());
    }

    /// Sends bytes, all at once.
    pub(crate) fn send(&self, bytes: &[u8]) {
        assert_eq!((&self.socket).write(bytes).unwrap(), bytes.len());
    }

    /// Waits for the end of the connection and gives the error it ended with.
    pub(crate) fn wait_error(&self) -> ErrorKind {
        let mut result = None;
        wait::until("the end of a connection", || {
            let mut byte = [0];
            match (&self.socket).read(&mut byte) {
                Ok(size) => panic!("{size} bytes came where an error was expected"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => result = Some(error.kind()),
            }
            result.is_some()
        });
        result.unwrap()
    }

    /// Ends the connection with a RST, so that nothing of it goes on.
    pub(crate) fn reset(self) {
        self.socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Ends them all with a RST.
pub(crate) fn reset_all(clients: Vec<Client>) {
    clients.into_iter().for_each(Client::reset);
}
