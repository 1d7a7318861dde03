//! Which listener of the kernel's list is which that the kernel side met.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::model::{Listener, Process};
use crate::netlink;

/// What the comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// For each listener that was met: its place in the list, where that is certain.
    pub met: Vec<Option<usize>>,
    /// Places of those in the list that nobody met: nothing has happened at them.
    pub idle: Vec<usize>,
}

/// A listener that was met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met<'a> {
    /// Who.
    pub listener: &'a Listener,
    /// Whether it may be in the list: it listened when the list was made.
    pub listed: bool,
}

/// The place of a listener, which those of a `SO_REUSEPORT` group share.
type Place = (u32, IpAddr, u16, Option<u32>);

/// Compares by the cookies of the sockets. One that had none when it was met is looked for by its
/// place among those that are left; of several there, it is not known which it is, but only how many
/// are idle.
pub(super) fn join(list: &[(u32, netlink::Listener)], met: &[Met<'_>]) -> Joined {
    let by_cookie: HashMap<_, _> = list.iter().map(|(_, one)| one.cookie).zip(0..).collect();
    let mut taken = vec![false; list.len()];
    let mut joined = Joined { met: vec![None; met.len()], idle: Vec::new() };
    let mut nameless: HashMap<Place, Vec<usize>> = HashMap::new();
    for (number, Met { listener, listed }) in met.iter().enumerate() {
        if listener.cookie == 0 {
            if *listed {
                let place = (listener.netns, listener.address, listener.port, listener.device);
                nameless.entry(place).or_default().push(number);
            }
        } else if let Some(at) = by_cookie.get(&listener.cookie) {
            joined.met[number] = Some(*at);
            taken[*at] = true;
        }
    }
    let mut left: HashMap<Place, Vec<usize>> = HashMap::new();
    for (at, (netns, one)) in list.iter().enumerate().filter(|(at, _)| !taken[*at]) {
        left.entry((*netns, one.address, one.port, one.device)).or_default().push(at);
    }
    for (place, mut at) in left {
        let numbers = nameless.get(&place).map_or(&[][..], Vec::as_slice);
        if let ([number], [at]) = (numbers, at.as_slice()) {
            joined.met[*number] = Some(*at);
        }
        at.drain(..numbers.len().min(at.len()));
        joined.idle.append(&mut at);
    }
    joined.idle.sort_unstable();
    joined
}

/// A listener of the list.
pub(super) fn listed_one(
    id: u32,
    netns: u32,
    one: &netlink::Listener,
    owners: Vec<Process>,
) -> Listener {
    Listener {
        id,
        address: one.address,
        port: one.port,
        device: one.device,
        cookie: one.cookie,
        netns,
        netns_cookie: 0,
        limit: one.limit,
        asked: None,
        somaxconn: None,
        owners,
        closed: false,
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::ListenerInfo;

    use super::*;

    fn listed(cookie: u64, port: u16) -> (u32, netlink::Listener) {
        let listener = netlink::Listener {
            address: IpAddr::from([0, 0, 0, 0]),
            port,
            device: None,
            v6only: None,
            depth: 0,
            limit: 5,
            inode: 1,
            uid: 0,
            cookie,
            drops: None,
            cgroup_id: None,
        };
        (1, listener)
    }

    fn met(cookie: u64, port: u16) -> Listener {
        let info = ListenerInfo { cookie, port, netns: 1, family: 2, ..ListenerInfo::default() };
        Listener::from_info(1, &info)
    }

    fn found(list: &[(u32, netlink::Listener)], met: &[(Listener, bool)]) -> Joined {
        let met: Vec<_> =
            met.iter().map(|(listener, listed)| Met { listener, listed: *listed }).collect();
        join(list, &met)
    }

    #[test]
    fn cookies_tell_members_of_a_group_apart() {
        let list = [listed(11, 80), listed(12, 80), listed(13, 443)];
        let joined = found(&list, &[(met(12, 80), true), (met(99, 80), false)]);
        assert_eq!(joined, Joined { met: vec![Some(1), None], idle: vec![0, 2] });
    }

    #[test]
    fn without_a_cookie_the_place_tells_if_there_is_only_one() {
        let list = [listed(11, 80), listed(12, 443)];
        let joined = found(&list, &[(met(0, 443), true)]);
        assert_eq!(joined, Joined { met: vec![Some(1)], idle: vec![0] });
    }

    #[test]
    fn of_several_at_a_place_it_is_known_how_many_are_idle() {
        let list = [listed(11, 80), listed(12, 80), listed(13, 80)];
        let joined = found(&list, &[(met(0, 80), true), (met(0, 80), true)]);
        assert_eq!((joined.met, joined.idle.len()), (vec![None, None], 1));
    }

    #[test]
    fn one_that_opened_or_closed_since_is_not_in_the_list() {
        let joined = found(&[listed(11, 80)], &[(met(0, 80), false)]);
        assert_eq!(joined, Joined { met: vec![None], idle: vec![0] });
    }
}
