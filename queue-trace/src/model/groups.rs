//! `SO_REUSEPORT` groups: several listeners on one address, among which the kernel spreads connections.

use std::collections::HashMap;
use std::net::IpAddr;

use queue_trace_common::{Event, Outcome};

use super::{Listener, Totals};

/// What the members of a group have in common: namespace, address, port and device.
pub type GroupKey = (u32, IpAddr, u16, Option<u32>);

/// A group of at least two open listeners.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    /// In the order in which they were given.
    pub members: Vec<Member<'a>>,
    /// How uneven accepting is: the greatest share times the number of members. 1 when even, as many as there
    /// are members when one does it all; nothing if nothing was accepted.
    pub imbalance: Option<f64>,
    /// Whether a member refused connections for a full accept queue while the queue of another one was never
    /// full.
    pub refuses_beside_room: bool,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member<'a> {
    /// Who.
    pub listener: &'a Listener,
    /// What happened there.
    pub totals: &'a Totals,
    /// Its share of the connections that the group accepted, from 0 to 1; nothing if it accepted none.
    pub accepted: Option<f64>,
    /// Its share of those that were established.
    pub established: Option<f64>,
}

impl Listener {
    /// What tells its group from others.
    #[must_use]
    pub const fn group(&self) -> GroupKey {
        (self.netns, self.address, self.port, self.device)
    }
}

/// The groups among these listeners, in the order in which their first members are given.
pub fn groups<'a>(listeners: impl IntoIterator<Item = &'a (Listener, Totals)>) -> Vec<Group<'a>> {
    let mut order = Vec::new();
    let mut members: HashMap<GroupKey, Vec<_>> = HashMap::new();
    for (listener, totals) in listeners {
        // The first stands for listeners of all addresses.
        if listener.id == 0 || listener.closed {
            continue;
        }
        let group = members.entry(listener.group()).or_default();
        if group.is_empty() {
            order.push(listener.group());
        }
        group.push((listener, totals));
    }
    let found = order.iter().filter_map(|key| members.get(key));
    found.filter(|members| members.len() > 1).map(|members| group(members)).collect()
}

fn group<'a>(members: &[(&'a Listener, &'a Totals)]) -> Group<'a> {
    let sum = |event| members.iter().map(|(_, totals)| totals.of_event(event)).sum();
    let (accepted, established) = (sum(Event::Accept), sum(Event::Established));
    let member = |&(listener, totals): &(&'a Listener, &'a Totals)| Member {
        listener,
        totals,
        accepted: share(totals.of_event(Event::Accept), accepted),
        established: share(totals.of_event(Event::Established), established),
    };
    let full = |(_, totals): &(&Listener, &Totals)| overflowed(totals);
    let room = |(listener, totals): &(&Listener, &Totals)| {
        totals.accept_full_ns == 0 && totals.accept_peak <= listener.limit && !overflowed(totals)
    };
    let refuses_beside_room = members.iter().any(full) && members.iter().any(room);
    let most = members.iter().map(|(_, totals)| totals.of_event(Event::Accept)).max();
    let imbalance = share(most.unwrap_or(0) * members.len() as u64, accepted);
    Group { members: members.iter().map(member).collect(), imbalance, refuses_beside_room }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Whether a full accept queue cost connections.
fn overflowed(totals: &Totals) -> bool {
    [
        Outcome::SynAcceptQueueFull,
        Outcome::AckAcceptQueueFull,
        Outcome::AckAcceptQueueFullReset,
        Outcome::CookieAcceptQueueFull,
    ]
    .iter()
    .any(|outcome| totals.of(*outcome) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_trace_common::ListenerInfo;

    fn listener(id: u32, port: u16) -> Listener {
        Listener::from_info(id, &ListenerInfo { port, limit: 5, ..ListenerInfo::default() })
    }

    fn accepted(id: u32, port: u16, count: u64) -> (Listener, Totals) {
        let mut totals = Totals::default();
        totals.outcomes[Outcome::Accepted as usize] = count;
        (listener(id, port), totals)
    }

    #[test]
    fn listeners_on_one_address_are_a_group() {
        let mut closed = accepted(4, 80, 9);
        closed.0.closed = true;
        let mut elsewhere = accepted(5, 80, 9);
        elsewhere.0.netns = 7;
        let mut bound = accepted(6, 80, 9);
        bound.0.device = Some(2);
        let all = [
            accepted(0, 80, 9),
            accepted(7, 443, 1),
            accepted(2, 80, 30),
            accepted(3, 443, 0),
            accepted(1, 80, 10),
            closed,
            elsewhere,
            bound,
            accepted(8, 22, 1),
        ];
        let ids = |group: &Group<'_>| group.members.iter().map(|m| m.listener.id).collect();
        let found: Vec<Vec<_>> = groups(&all).iter().map(ids).collect();
        assert_eq!(found, [vec![7, 3], vec![2, 1]]);
    }

    #[test]
    fn shares_and_imbalance_are_of_what_was_accepted() {
        let two = [accepted(1, 80, 30), accepted(2, 80, 10)];
        let [group] = &groups(&two)[..] else { unreachable!("one group") };
        let shares: Vec<_> = group.members.iter().map(|member| member.accepted).collect();
        assert_eq!(shares, [Some(0.75), Some(0.25)]);
        assert_eq!(group.members[0].established, None);
        for (counts, imbalance) in [
            ([30, 10, 0], Some(2.25)),
            ([10, 10, 10], Some(1.0)),
            ([0, 0, 7], Some(3.0)),
            ([0, 0, 0], None),
        ] {
            let members = counts.map(|count| accepted(count as u32 + 1, 80, count));
            assert_eq!(groups(&members)[0].imbalance, imbalance, "{counts:?}");
        }
    }

    #[test]
    fn a_refusal_counts_beside_a_queue_that_was_never_full() {
        let refuses = |one: &Totals, other: &Totals| {
            let members = [(listener(1, 80), *one), (listener(2, 80), *other)];
            groups(&members)[0].refuses_beside_room
        };
        let mut refused = Totals { accept_peak: 6, ..Totals::default() };
        refused.outcomes[Outcome::AckAcceptQueueFull as usize] = 1;
        let mut syn_queue = Totals::default();
        syn_queue.outcomes[Outcome::SynQueueFull as usize] = 1;
        let idle = Totals { accept_peak: 5, ..Totals::default() };
        let full_once = Totals { accept_peak: 6, ..Totals::default() };
        let full_long = Totals { accept_full_ns: 1, ..Totals::default() };
        assert!(refuses(&refused, &idle) && refuses(&idle, &refused));
        for other in [refused, full_once, full_long] {
            assert!(!refuses(&refused, &other), "{other:?}");
        }
        assert!(!refuses(&syn_queue, &idle) && !refuses(&idle, &idle));
    }
}
