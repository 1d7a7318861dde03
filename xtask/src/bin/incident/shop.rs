//! The shop: one worker that accepts and serves, one client after the other.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

/// How long a client is served.
const SERVICE: Duration = Duration::from_millis(25);
/// When the worker stops, and for how long.
const STOP: Duration = Duration::from_secs(6);
const STOPPED: Duration = Duration::from_secs(4);

/// Opens it for so long; where it is.
pub(crate) fn open(backlog: i32, length: Duration) -> Result<SocketAddr> {
    // Not by the standard library, which chooses the backlog itself.
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080)).context("cannot bind")?;
    listen(&socket, backlog).context("cannot listen")?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    std::thread::Builder::new()
        .name("shop".to_owned())
        .spawn(move || work(&listener, length))
        .context("no thread")?;
    Ok(address)
}

fn work(listener: &TcpListener, length: Duration) {
    let opened = Instant::now();
    let mut stopped = false;
    while opened.elapsed() < length {
        let Ok((mut client, _)) = listener.accept() else { return };
        if !stopped && opened.elapsed() >= STOP {
            stopped = true;
            sleep(STOPPED);
        }
        sleep(SERVICE);
        // The client may have gone.
        let _ = client.write_all(b"!");
    }
}
