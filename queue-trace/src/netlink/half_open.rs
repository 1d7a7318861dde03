//! Half-open requests, and the listeners they belong to.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_sock_diag::inet::{ExtensionFlags, InetResponse, StateFlags};

use super::dump::{Query, dump};
use super::{Error, Listener};

/// Request sockets sit in the established hash under this state and are listed as `SYN_RECV`
/// (`inet_diag_dump_icsk`, 4.4 to 7.x). Asking for `SYN_RECV` would list them too, and with them
/// Fast Open children, which are in the accept queue and in no SYN queue.
const TCP_NEW_SYN_RECV: u32 = 12;

/// The local end of a half-open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Local address; its variant is the listener's family (`ireq_family`), so an IPv4 request at a
    /// v6 socket shows the mapped form.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// Device: the listener's, or the incoming one for link-local peers and VRFs; else 0.
    pub device: u32,
}

/// How many requests a listener's SYN queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfOpen {
    /// Half-open requests of the listener, or of its whole group.
    pub count: u32,
    /// Listeners that share `count`: 1, or the size of the `SO_REUSEPORT` group. The kernel does
    /// not tell which member of a group holds a request.
    pub shared_by: u32,
}

/// Half-open requests by the listener they belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SynQueues {
    groups: HashMap<Group, HalfOpen>,
    /// Requests that match none of the listeners: theirs is closed or bound elsewhere (transparent
    /// proxies, `sk_lookup` programs).
    pub unattributed: u32,
}

/// Listeners that cannot be told apart from a request: equal to the kernel's own idea of a
/// reuseport group (`inet_reuseport_add_sock`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Group {
    address: IpAddr,
    port: u16,
    device: Option<u32>,
    v6only: Option<bool>,
}

impl From<&Listener> for Group {
    fn from(listener: &Listener) -> Self {
        Self {
            address: listener.address,
            port: listener.port,
            device: listener.device,
            v6only: listener.v6only,
        }
    }
}

impl SynQueues {
    /// Counts the half-open requests in the calling thread's network namespace for `listeners`,
    /// which must be all of that namespace: a request goes to the best match among them.
    ///
    /// The kernel walks its whole table of connections for it. Needs no privileges.
    ///
    /// # Errors
    ///
    /// As [`super::listeners`].
    pub fn read(listeners: &[Listener]) -> Result<Self, Error> {
        let query = Query {
            states: StateFlags::from_bits_retain(1 << TCP_NEW_SYN_RECV),
            extensions: ExtensionFlags::empty(),
        };
        Ok(Self::attribute(listeners, dump(&query, Request::from_response)?))
    }

    /// Gives each request to the listener that the kernel's lookup would choose.
    pub fn attribute(listeners: &[Listener], requests: impl IntoIterator<Item = Request>) -> Self {
        let mut queues = Self::default();
        let mut by_port: HashMap<u16, Vec<Group>> = HashMap::new();
        for listener in listeners {
            let group = Group::from(listener);
            let known = queues.groups.entry(group).or_insert(HalfOpen { count: 0, shared_by: 0 });
            known.shared_by += 1;
            if known.shared_by == 1 {
                by_port.entry(listener.port).or_default().push(group);
            }
        }
        for request in requests {
            let candidates = by_port.get(&request.port).map_or(&[][..], Vec::as_slice);
            let best = candidates
                .iter()
                .filter_map(|group| Some((group.rank(&request)?, group)))
                .max_by_key(|(rank, _)| *rank)
                .and_then(|(_, group)| queues.groups.get_mut(group));
            match best {
                Some(queue) => queue.count += 1,
                None => queues.unattributed += 1,
            }
        }
        queues
    }

    /// Those that are known already, and how many match none.
    #[must_use]
    pub fn known(queues: &[(Listener, HalfOpen)], unattributed: u32) -> Self {
        let groups = queues.iter().map(|(listener, queue)| (Group::from(listener), *queue));
        Self { groups: groups.collect(), unattributed }
    }

    /// The half-open requests of `listener`; zero for a listener that was not in the list.
    pub fn of(&self, listener: &Listener) -> HalfOpen {
        let none = HalfOpen { count: 0, shared_by: 1 };
        self.groups.get(&Group::from(listener)).copied().unwrap_or(none)
    }
}

impl Group {
    /// How well the group fits a request, `None` if it does not.
    ///
    /// As `__inet_lookup_listener` and `inet6_lookup_listener`: the exact address before the
    /// wildcard, then a bound device before none. The kernel's preference of v4 sockets needs no
    /// rank, because a request carries the family of its listener.
    fn rank(&self, request: &Request) -> Option<(bool, bool)> {
        let same_family = self.address.is_ipv4() == request.address.is_ipv4();
        let right_device = self.device.is_none_or(|device| device == request.device);
        if !same_family || !right_device {
            return None;
        }
        let exact = self.address == request.address;
        (exact || self.is_wildcard_for(request.address)).then_some((exact, self.device.is_some()))
    }

    fn is_wildcard_for(&self, address: IpAddr) -> bool {
        const MAPPED_ANY: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(_)) => own.is_unspecified(),
            (IpAddr::V6(own), IpAddr::V6(local)) if local.to_ipv4_mapped().is_some() => {
                own == MAPPED_ANY || own.is_unspecified() && self.v6only != Some(true)
            }
            (IpAddr::V6(own), IpAddr::V6(_)) => own.is_unspecified(),
            _ => false,
        }
    }
}

impl Request {
    fn from_response(response: InetResponse) -> Self {
        let id = response.header.socket_id;
        Self { address: id.source_address, port: id.source_port, device: id.interface_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, device: Option<u32>, v6only: Option<bool>) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            port: 80,
            device,
            v6only,
            depth: 0,
            limit: 5,
            inode: 1,
            uid: 0,
            cookie: 1,
            drops: None,
            cgroup_id: None,
        }
    }

    fn request(address: &str, device: u32) -> Request {
        Request { address: address.parse().unwrap(), port: 80, device }
    }

    /// The counts of `listeners` after `requests`, in order.
    fn counts(listeners: &[Listener], requests: &[Request]) -> (Vec<u32>, u32) {
        let queues = SynQueues::attribute(listeners, requests.iter().copied());
        (listeners.iter().map(|l| queues.of(l).count).collect(), queues.unattributed)
    }

    #[test]
    fn an_exact_address_comes_before_the_wildcard() {
        let listeners = [listener("0.0.0.0", None, None), listener("192.0.2.1", None, None)];
        let requests = [request("192.0.2.1", 0), request("192.0.2.1", 0), request("192.0.2.2", 0)];
        assert_eq!(counts(&listeners, &requests), (vec![1, 2], 0));
    }

    #[test]
    fn a_request_stays_in_the_family_of_its_listener() {
        let listeners = [listener("0.0.0.0", None, None), listener("::", None, Some(true))];
        let requests = [request("192.0.2.1", 0), request("2001:db8::1", 0)];
        assert_eq!(counts(&listeners, &requests), (vec![1, 1], 0));
    }

    #[test]
    fn mapped_requests_belong_to_dual_stack_listeners_only() {
        let mapped = request("::ffff:192.0.2.1", 0);
        assert_eq!(counts(&[listener("::", None, Some(false))], &[mapped]), (vec![1], 0));
        assert_eq!(counts(&[listener("::", None, Some(true))], &[mapped]), (vec![0], 1));
        let exact = [
            listener("::", None, Some(false)),
            listener("::ffff:192.0.2.1", None, Some(false)),
            listener("::ffff:0.0.0.0", None, Some(false)),
        ];
        assert_eq!(counts(&exact, &[mapped]), (vec![0, 1, 0], 0));
        let pure = [listener("::ffff:0.0.0.0", None, Some(false))];
        assert_eq!(counts(&pure, &[mapped, request("2001:db8::1", 0)]), (vec![1], 1));
    }

    #[test]
    fn a_bound_device_must_match_and_is_preferred() {
        let listeners = [
            listener("0.0.0.0", None, None),
            listener("0.0.0.0", Some(2), None),
            listener("192.0.2.1", Some(3), None),
        ];
        let requests = [request("192.0.2.1", 2), request("192.0.2.1", 3), request("192.0.2.1", 0)];
        assert_eq!(counts(&listeners, &requests), (vec![1, 1, 1], 0));
    }

    #[test]
    fn a_reuseport_group_shares_one_count() {
        let listeners = vec![listener("0.0.0.0", None, None); 3];
        let queues = SynQueues::attribute(&listeners, [request("192.0.2.1", 0); 7]);
        for listener in &listeners {
            assert_eq!(queues.of(listener), HalfOpen { count: 7, shared_by: 3 });
        }
    }

    #[test]
    fn requests_without_a_listener_are_counted_apart() {
        let mut other = request("192.0.2.1", 0);
        other.port = 81;
        assert_eq!(
            counts(&[listener("192.0.2.9", None, None)], &[request("192.0.2.1", 0), other]),
            (vec![0], 2)
        );
        assert_eq!(counts(&[], &[other]), (vec![], 1));
    }
}
