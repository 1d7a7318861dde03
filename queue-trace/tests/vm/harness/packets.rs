//! Crafted segments, and what is read of those that come back.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpHeaders, Ipv4Header, Ipv6Header, PacketBuilder, SlicedPacket, TcpHeader, TransportSlice,
};

/// A segment that a listener sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Whom it is for.
    pub(crate) client: SocketAddr,
    /// The listener's port.
    pub(crate) port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) syn: bool,
    pub(crate) rst: bool,
}

impl Reply {
    /// Reads a packet; nothing for one that is not TCP.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let sliced = SlicedPacket::from_ip(packet).ok()?;
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
        let destination: IpAddr = match sliced.net? {
            etherparse::NetSlice::Ipv4(ip) => ip.header().destination_addr().into(),
            etherparse::NetSlice::Ipv6(ip) => ip.header().destination_addr().into(),
            etherparse::NetSlice::Arp(_) => return None,
        };
        Some(Self {
            client: (destination, tcp.destination_port()).into(),
            port: tcp.source_port(),
            sequence: tcp.sequence_number(),
            acknowledgment: tcp.acknowledgment_number(),
            syn: tcp.syn(),
            rst: tcp.rst(),
        })
    }

    /// Whether it is a SYN-ACK.
    pub(crate) fn is_synack(&self) -> bool {
        self.syn && !self.rst
    }
}

/// The first sequence number of every crafted client.
pub(crate) const CLIENT_START: u32 = 1_000_000;

/// A SYN.
pub(crate) fn syn(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    segment(from, to, |tcp| tcp.syn = true)
}

/// An ACK of everything up to `acknowledgment`, as the second segment of a client.
pub(crate) fn ack(from: SocketAddr, to: SocketAddr, acknowledgment: u32) -> Vec<u8> {
    segment(from, to, |tcp| {
        tcp.sequence_number = CLIENT_START.wrapping_add(1);
        tcp.ack = true;
        tcp.acknowledgment_number = acknowledgment;
    })
}

/// A RST, as the second segment of a client.
pub(crate) fn rst(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    segment(from, to, |tcp| {
        tcp.sequence_number = CLIENT_START.wrapping_add(1);
        tcp.rst = true;
    })
}

/// A segment of any shape.
pub(crate) fn segment(
    from: SocketAddr,
    to: SocketAddr,
    shape: impl FnOnce(&mut TcpHeader),
) -> Vec<u8> {
    with_data(from, to, &[], shape)
}

/// The same with data.
pub(crate) fn with_data(
    from: SocketAddr,
    to: SocketAddr,
    data: &[u8],
    shape: impl FnOnce(&mut TcpHeader),
) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.port(), to.port(), CLIENT_START, 65_535);
    shape(&mut tcp);
    let mut packet = Vec::new();
    PacketBuilder::ip(ip_header(from.ip(), to.ip(), etherparse::IpNumber::TCP))
        .tcp_header(tcp)
        .write(&mut packet, data)
        .unwrap();
    packet
}

fn ip_header(from: IpAddr, to: IpAddr, protocol: etherparse::IpNumber) -> IpHeaders {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = Ipv4Header::new(0, 64, protocol, from.octets(), to.octets()).unwrap();
            IpHeaders::Ipv4(header, Default::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let header = Ipv6Header {
                hop_limit: 64,
                next_header: protocol,
                source: from.octets(),
                destination: to.octets(),
                ..Default::default()
            };
            IpHeaders::Ipv6(header, Default::default())
        }
        _ => panic!("{from} and {to} are of different families"),
    }
}

/// An ICMP error about a SYN-ACK, as a router on the way to the client would send it: the kernel
/// gives the request up at once for this one (`tcp_v4_err`, `tcp_v6_err`).
pub(crate) fn unreachable(synack: &Reply, server: SocketAddr) -> Vec<u8> {
    let quoted = quote(synack, server);
    let (router, to) = (synack.client.ip(), server.ip());
    let mut packet = Vec::new();
    let result = match router {
        IpAddr::V4(_) => {
            use etherparse::{Icmpv4Type, icmpv4::DestUnreachableHeader};
            PacketBuilder::ip(ip_header(router, to, etherparse::IpNumber::ICMP))
                .icmpv4(Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Host))
                .write(&mut packet, &quoted)
        }
        IpAddr::V6(_) => {
            use etherparse::{Icmpv6Type, icmpv6::DestUnreachableCode};
            PacketBuilder::ip(ip_header(router, to, etherparse::IpNumber::IPV6_ICMP))
                .icmpv6(Icmpv6Type::DestinationUnreachable(DestUnreachableCode::Prohibited))
                .write(&mut packet, &quoted)
        }
    };
    result.unwrap();
    packet
}

/// The SYN-ACK as it was on the wire, as far as an ICMP error shows it.
fn quote(synack: &Reply, server: SocketAddr) -> Vec<u8> {
    segment(server, synack.client, |tcp| {
        tcp.sequence_number = synack.sequence;
        tcp.syn = true;
        tcp.ack = true;
        tcp.acknowledgment_number = synack.acknowledgment;
    })
}
