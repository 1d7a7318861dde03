//! The client of a segment, from the packet's own headers.

use crate::config::{member, offset};
use crate::memory::{self, Memory, Probed};
use crate::pass::Client;

/// The source of a segment.
///
/// Read from the headers because a refused SYN has nothing else that names its sender. An IPv4
/// client of a dual-stack listener comes out as IPv4, which it is on the wire.
#[inline(always)]
pub fn client<M: Memory>(skb: *const u8) -> Client {
    // SAFETY: `skb` is a `struct sk_buff`.
    let (head, network, transport) = unsafe {
        (
            member!(M, skb, skb_head: u64) as *const u8,
            member!(M, skb, network_header: u16) as usize,
            member!(M, skb, transport_header: u16) as usize,
        )
    };
    if memory::casts() {
        by_field(head, network, transport)
    } else if M::DIRECT && is_ipv4::<M>(skb) {
        of_ipv4(head, network, transport)
    } else {
        at_once(head, network, transport)
    }
}

/// Where reading is a matter of a few instructions: nothing but what is wanted.
#[inline(always)]
fn by_field(head: *const u8, network: usize, transport: usize) -> Client {
    let mut client = Client::default();
    // SAFETY: the headers of a segment.
    unsafe {
        client.version = Probed::read::<u8>(head, network) >> 4;
        if client.version == 4 {
            client.address[0] = Probed::read(head, network + 12);
        } else {
            client.address = words::<Probed>(head, network + 8);
        }
        client.port = u16::from_be(Probed::read(head, transport));
    }
    client
}

/// The source of an IPv4 segment where each read is dear: the addresses and the ports behind them are read at once.
#[inline(always)]
fn of_ipv4(head: *const u8, network: usize, transport: usize) -> Client {
    let mut client = Client::default();
    client.version = 4;
    // SAFETY: the headers of a segment.
    let [source, _, ports] = unsafe { Probed::read::<[u32; 3]>(head, network + 12) };
    client.address[0] = source;
    client.port = port(head, transport, network + 20, ports);
    client
}

/// The same where it is not known whether it is IPv4: one read does for all that is wanted of an IPv6 header and the ports
/// behind it, where an IPv4 header and its ports have room too.
#[inline(always)]
fn at_once(head: *const u8, network: usize, transport: usize) -> Client {
    let mut client = Client::default();
    // SAFETY: the headers of a segment. Behind the headers of a segment there are always as many bytes of the same buffer.
    let words: [u32; 11] = unsafe { Probed::read(head, network) };
    client.version = words[0].to_ne_bytes()[0] >> 4;
    client.port = if client.version == 4 {
        client.address[0] = words[3];
        port(head, transport, network + 20, words[5])
    } else {
        client.address = [words[2], words[3], words[4], words[5]];
        port(head, transport, network + 40, words[10])
    };
    client
}

/// The source port: in `ports`, which were read at `place`, if the TCP header is there; with options or extensions between it
/// is further on.
#[inline(always)]
fn port(head: *const u8, transport: usize, place: usize, ports: u32) -> u16 {
    if transport == place {
        let [high, low, ..] = ports.to_ne_bytes();
        u16::from_be_bytes([high, low])
    } else {
        // SAFETY: the header of a segment.
        u16::from_be(unsafe { Probed::read(head, transport) })
    }
}

/// The other end of a socket or a half-open request: both begin with `struct sock_common`.
#[inline(always)]
pub fn peer<M: Memory>(sock_common: *const u8) -> Client {
    let mut client = Client::default();
    // SAFETY: the caller passes a socket or a request.
    unsafe {
        let family: u16 = member!(M, sock_common, family);
        client.port = u16::from_be(member!(M, sock_common, remote_port));
        if family == AF_INET6 {
            let address: [u32; 4] = words::<M>(sock_common, offset!(remote_v6));
            // An IPv4 client of a dual-stack listener.
            if is_mapped(&address) {
                client.address[0] = address[3];
                client.version = 4;
            } else {
                client.address = address;
                client.version = 6;
            }
        } else {
            client.address[0] = member!(M, sock_common, remote_v4);
            client.version = 4;
        }
    }
    client
}

/// Whether a segment came as IPv4, by what the kernel itself asks.
#[inline(always)]
pub fn is_ipv4<M: Memory>(skb: *const u8) -> bool {
    // SAFETY: `skb` is a `struct sk_buff`.
    unsafe { member!(M, skb, skb_protocol: u16) == ETH_P_IP.to_be() }
}

/// Whether an IPv6 address is of the form ::ffff:a.b.c.d.
#[inline(always)]
pub fn is_mapped(address: &[u32; 4]) -> bool {
    address[0] == 0 && address[1] == 0 && address[2] == MAPPED
}

/// Third word of an IPv4 address written as IPv6.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 255, 255]);

/// `ETH_P_IP`.
const ETH_P_IP: u16 = 0x0800;
/// `AF_INET6`.
pub const AF_INET6: u16 = 10;

/// An IPv6 address of a socket; the verifier lets it be read as words, not as bytes.
///
/// # Safety
/// `offset` must be that of a `struct in6_addr` in the structure at `base`.
#[inline(always)]
pub unsafe fn words<M: Memory>(base: *const u8, offset: usize) -> [u32; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            M::read(base, offset),
            M::read(base, offset + 4),
            M::read(base, offset + 8),
            M::read(base, offset + 12),
        ]
    }
}

/// Writes four bytes of an address; a slice copy would bring a bounds check that can panic.
#[inline(always)]
pub fn put(address: &mut [u8; 16], at: usize, word: u32) {
    // SAFETY: every caller passes 0, 4, 8 or 12.
    unsafe { address.as_mut_ptr().add(at).cast::<u32>().write_unaligned(word) }
}

/// Writes all of an address.
#[inline(always)]
pub fn put_all(address: &mut [u8; 16], [first, second, third, last]: [u32; 4]) {
    put(address, 0, first);
    put(address, 4, second);
    put(address, 8, third);
    put(address, 12, last);
}

/// Bytes of payload in a segment; its SYN and FIN count one each, as in sequence space.
#[inline(always)]
pub fn length<M: Memory>(skb: *const u8) -> u32 {
    // SAFETY: `skb` is a `struct sk_buff` whose control block TCP has filled.
    unsafe {
        let start: u32 = member!(M, skb, segment_start);
        let end: u32 = member!(M, skb, segment_end);
        end.wrapping_sub(start)
    }
}

/// The TCP flags byte of a segment.
#[inline(always)]
pub fn flags<M: Memory>(skb: *const u8) -> u8 {
    // SAFETY: as for `length`.
    unsafe { member!(M, skb, segment_flags) }
}
