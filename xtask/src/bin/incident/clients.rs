//! The clients: some each second, each from one of a few addresses, and many in the busiest time.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

/// The time between two clients, ordinarily and in the busiest time.
const ORDINARY: Duration = Duration::from_millis(60);
const BUSY: Duration = Duration::from_millis(35);
/// When that is.
const RUSH: std::ops::Range<Duration> = Duration::from_secs(4)..Duration::from_secs(11);
/// No more come so long before the end: those that were refused have time to get in.
const CALM: Duration = Duration::from_secs(6);
/// The addresses that they come from.
const ADDRESSES: u32 = 6;

/// Lets them come, and waits until it is over.
pub(crate) fn come(shop: SocketAddr, length: Duration) {
    let opened = Instant::now();
    for number in 0.. {
        let since = opened.elapsed();
        if since >= length - CALM {
            break;
        }
        spawn(move || buy(shop, number));
        sleep(if RUSH.contains(&since) { BUSY } else { ORDINARY });
    }
    sleep(length.saturating_sub(opened.elapsed()));
}

/// One client, who gives up when anything fails: that is not what this is about.
fn buy(shop: SocketAddr, number: u32) -> Option<()> {
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    let home = Ipv4Addr::new(127, 0, 1, (number * number % ADDRESSES) as u8 + 1);
    bind(&socket, &SocketAddrV4::new(home, 0)).ok()?;
    connect(&socket, &shop).ok()?;
    TcpStream::from(socket).read_exact(&mut [0]).ok()
}
