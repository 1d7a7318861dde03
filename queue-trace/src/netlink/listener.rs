//! TCP sockets in LISTEN.

use std::collections::HashSet;
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, Nla as _};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetResponse, StateFlags};

use super::Error;
use super::dump::{Query, dump};

/// `INET_DIAG_CGROUP_ID` (include/uapi/linux/inet_diag.h, since 5.9).
const CGROUP_ID: u16 = 21;

/// A TCP socket in LISTEN, as `inet_sk_diag_fill` and `tcp_diag_get_info` describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The bound address; its variant is the socket's family. A v6 socket bound to an IPv4 address
    /// shows the mapped form, `::ffff:192.0.2.1`.
    pub address: IpAddr,
    /// The bound port.
    pub port: u16,
    /// Index of the network device the socket is bound to, in its namespace.
    pub device: Option<u32>,
    /// Whether a v6 socket refuses IPv4; `None` for v4 sockets.
    pub v6only: Option<bool>,
    /// Connections established and not yet accepted (`sk_ack_backlog`).
    pub depth: u32,
    /// What the kernel made of the backlog (`sk_max_ack_backlog`).
    pub limit: u32,
    /// Inode of the socket, by which its owners are found; 0 when no process holds it any more.
    pub inode: u32,
    /// User that created the socket, as seen from this process' user namespace.
    pub uid: u32,
    /// `sk_cookie`: unique to this socket until reboot. The kernel makes one up for sockets that
    /// had none when it answers (`sock_gen_cookie`), so afterwards it is in `sk->__sk_common.skc_cookie`.
    pub cookie: u64,
    /// `sk_drops`: every packet the listener discarded, for whatever reason. Not an overflow count:
    /// a refused SYN adds 1, a refused final ACK 2, an ACK swallowed by `TCP_DEFER_ACCEPT` 1.
    pub drops: Option<u32>,
    /// The cgroup (v2) the socket was created in; absent on kernels without `CONFIG_SOCK_CGROUP_DATA`.
    pub cgroup_id: Option<u64>,
}

impl Listener {
    /// Whether the accept queue refuses the next connection (`sk_acceptq_is_full`): depth is above
    /// the limit, so `limit + 1` fit.
    pub fn full(&self) -> bool {
        self.depth > self.limit
    }
}

/// Lists the listeners, v4 and v6, of the calling thread's network namespace.
///
/// Needs no privileges. In the order of the kernel's hash table, v4 first. The kernel walks that
/// table bucket by bucket, so a listener opened or closed meanwhile may or may not be in the list.
///
/// # Errors
///
/// When `sock_diag` is not there or does not answer; see [`enum@Error`].
pub fn listeners() -> Result<Vec<Listener>, Error> {
    let query = Query { states: StateFlags::LISTEN, extensions: ExtensionFlags::SKMEMINFO };
    let mut listeners = dump(&query, Listener::from_response)?;
    // A bucket that changes between two parts of the dump can show one socket twice.
    let mut seen = HashSet::with_capacity(listeners.len());
    listeners.retain(|listener| seen.insert(listener.cookie));
    Ok(listeners)
}

impl Listener {
    fn from_response(response: InetResponse) -> Self {
        let InetResponse { header, nlas } = response;
        let id = header.socket_id;
        let mut listener = Self {
            address: id.source_address,
            port: id.source_port,
            device: (id.interface_id != 0).then_some(id.interface_id),
            v6only: None,
            depth: header.recv_queue,
            limit: header.send_queue,
            inode: header.inode,
            uid: header.uid,
            cookie: cookie(id.cookie),
            drops: None,
            cgroup_id: None,
        };
        for nla in &nlas {
            match nla {
                Nla::SkV6Only(v6only) => listener.v6only = Some(*v6only),
                Nla::MemInfo(memory) => listener.drops = Some(memory.drops),
                Nla::Other(other) if other.kind() == CGROUP_ID => {
                    listener.cgroup_id = value_u64(other);
                }
                _ => {}
            }
        }
        listener
    }
}

/// Joins the two words of `idiag_cookie`: the low one comes first on every byte order.
fn cookie([a, b, c, d, e, f, g, h]: [u8; 8]) -> u64 {
    u64::from(u32::from_ne_bytes([a, b, c, d])) | u64::from(u32::from_ne_bytes([e, f, g, h])) << 32
}

fn value_u64(nla: &DefaultNla) -> Option<u64> {
    let mut value = [0; 8];
    (nla.value_len() == value.len()).then(|| {
        nla.emit_value(&mut value);
        u64::from_ne_bytes(value)
    })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Parseable;

    use super::*;

    /// `inet_diag_msg` and attributes as 6.18 sent them for a v6 listener on port 8080.
    fn answer() -> Vec<u8> {
        let mut bytes = vec![10, 10, 0, 0];
        bytes.extend(8080_u16.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend([0; 32]);
        bytes.extend(3_u32.to_ne_bytes()); // interface
        bytes.extend(7_u32.to_ne_bytes()); // cookie, low word
        bytes.extend(1_u32.to_ne_bytes()); // cookie, high word
        for word in [0_u32, 6, 5, 1000, 4711] {
            bytes.extend(word.to_ne_bytes()); // expires, rqueue, wqueue, uid, inode
        }
        bytes.extend(attribute(8, &[0]));
        bytes.extend(attribute(11, &[1]));
        bytes.extend(attribute(CGROUP_ID, &0x1234_5678_9abc_u64.to_ne_bytes()));
        bytes.extend(attribute(22, &[0, 0]));
        let memory: Vec<u8> = [0_u32, 131_072, 0, 16_384, 0, 0, 0, 0, 42]
            .iter()
            .flat_map(|w| w.to_ne_bytes())
            .collect();
        bytes.extend(attribute(7, &memory));
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn reads_every_field() {
        let response = InetResponse::parse(answer().as_slice()).unwrap();
        let expected = Listener {
            address: "::".parse().unwrap(),
            port: 8080,
            device: Some(3),
            v6only: Some(true),
            depth: 6,
            limit: 5,
            inode: 4711,
            uid: 1000,
            cookie: 1 << 32 | 7,
            drops: Some(42),
            cgroup_id: Some(0x1234_5678_9abc),
        };
        assert!(expected.full());
        assert_eq!(Listener::from_response(response), expected);
    }

    #[test]
    fn an_old_kernel_without_the_attributes_is_fine() {
        let response = InetResponse::parse(&answer()[..72]).unwrap();
        let listener = Listener::from_response(response);
        assert_eq!((listener.v6only, listener.drops, listener.cgroup_id), (None, None, None));
    }

    #[test]
    fn full_means_more_than_the_limit() {
        let mut listener =
            Listener::from_response(InetResponse::parse(answer().as_slice()).unwrap());
        listener.depth = listener.limit;
        assert!(!listener.full());
    }
}
