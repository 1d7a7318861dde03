//! Segments made by hand, from clients that do not exist: what is sent to them vanishes.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto,
    recv, sendto, socket, socket_with,
};

/// Bytes of an IPv4 header without options.
const IP: usize = 20;
/// Bytes of a TCP header without options.
const TCP: usize = 20;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// The clients' first sequence number.
const FIRST: u32 = 1_000_000;

/// Headers only.
pub(crate) type Segment = [u8; IP + TCP];

/// The client of that number, in the network that `system::prepare` routes to nowhere.
pub(crate) fn client(number: u32) -> SocketAddrV4 {
    let [.., high, low] = (number / 100).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 9, high, low), 20_000 + (number % 100) as u16)
}

/// A client's SYN.
pub(crate) fn syn(client: SocketAddrV4, server: SocketAddrV4) -> Segment {
    segment(client, server, FIRST, 0, SYN)
}

/// The ACK that answers a SYN-ACK.
pub(crate) fn ack(client: SocketAddrV4, server: SocketAddrV4, first_of_server: u32) -> Segment {
    segment(client, server, FIRST + 1, first_of_server.wrapping_add(1), ACK)
}

fn segment(from: SocketAddrV4, to: SocketAddrV4, sequence: u32, ack: u32, flags: u8) -> Segment {
    let mut bytes = [0; IP + TCP];
    // The kernel fills in the header's length and checksum.
    bytes[0] = 0x45;
    bytes[8] = 64;
    bytes[9] = 6;
    bytes[12..16].copy_from_slice(&from.ip().octets());
    bytes[16..20].copy_from_slice(&to.ip().octets());
    bytes[20..22].copy_from_slice(&from.port().to_be_bytes());
    bytes[22..24].copy_from_slice(&to.port().to_be_bytes());
    bytes[24..28].copy_from_slice(&sequence.to_be_bytes());
    bytes[28..32].copy_from_slice(&ack.to_be_bytes());
    bytes[32] = (TCP as u8 / 4) << 4;
    bytes[33] = flags;
    bytes[34..36].copy_from_slice(&u16::MAX.to_be_bytes());
    let checksum = checksum(&bytes[12..]);
    bytes[36..38].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// RFC 9293's checksum over both addresses, protocol, length and segment.
fn checksum(from_addresses: &[u8]) -> u16 {
    let words =
        from_addresses.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum = words.sum::<u32>() + 6 + TCP as u32;
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// Sends segments as they are.
#[derive(Debug)]
pub(crate) struct Sender(OwnedFd);

impl Sender {
    /// Needs root.
    pub(crate) fn new() -> Result<Self> {
        let (family, kind) = (AddressFamily::INET, SocketType::RAW);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(ipproto::RAW))
            .context("no raw socket")?;
        Ok(Self(socket))
    }

    /// Sends one; over loopback it has been received when this returns.
    pub(crate) fn send(&self, segment: &Segment, server: SocketAddrV4) -> Result<()> {
        sendto(&self.0, segment, SendFlags::empty(), &server)?;
        Ok(())
    }
}

/// Sees every packet.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Needs root.
    pub(crate) fn new() -> Result<Self> {
        const IPV4: u16 = 0x0800;
        let protocol = RawProtocol::new(u32::from(IPV4.to_be())).map(Protocol::from_raw);
        let socket = socket(AddressFamily::PACKET, SocketType::DGRAM, protocol)?;
        Ok(Self(socket))
    }

    /// The first sequence number that a server told a client in what has come so far.
    pub(crate) fn first_of(&self, server: SocketAddrV4, client: SocketAddrV4) -> Result<u32> {
        let mut bytes = [0; 128];
        let ports = [server.port().to_be_bytes(), client.port().to_be_bytes()].concat();
        while let Ok((_, size)) = recv(&self.0, &mut bytes, RecvFlags::DONTWAIT) {
            let packet = &bytes[..size];
            if size >= IP + TCP && packet[20..24] == ports && packet[33] == SYN | ACK {
                return Ok(u32::from_be_bytes([packet[24], packet[25], packet[26], packet[27]]));
            }
        }
        bail!("no SYN-ACK was sent")
    }
}

#[cfg(test)]
mod tests {
    use super::{checksum, client, syn};

    #[test]
    fn a_checksum_makes_the_sum_zero() {
        let mut segment = syn(client(7), client(1234));
        assert_eq!(checksum(&segment[12..]), 0);
        segment[24] ^= 1;
        assert_ne!(checksum(&segment[12..]), 0);
    }
}
