//! A server that lets its clients wait.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

/// Enough for the slowest of today's retries.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on a port of the loopback, 8080 if it is free.
    pub(crate) fn listen(backlog: i32) -> Result<Self> {
        // Not by the standard library, which chooses the backlog itself. Not inherited by the tracers,
        // which would be taken for owners.
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080))
            .or_else(|_| bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)))
            .context("cannot bind to a port of 127.0.0.1")?;
        listen(&socket, backlog).context("cannot listen")?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and answers until that many clients are served or patience ends; gives the number.
    pub(crate) fn serve(&self, clients: usize) -> Result<usize> {
        self.listener.set_nonblocking(true)?;
        let deadline = Instant::now() + PATIENCE;
        let mut served: Vec<TcpStream> = Vec::new();
        while served.len() < clients && Instant::now() < deadline {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    stream.write_all(b"!")?;
                    served.push(stream);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error).context("cannot accept"),
            }
        }
        Ok(served.len())
    }
}
