//! Closed listeners, of which a daemon meets any number.
//!
//! Those at the same place are added up, so that what a service counted survives its restarts. Of the
//! places a bounded number is kept, the last ones; what was before is added up for each namespace, and
//! beyond a bounded number of these for the whole machine.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Listener, Totals};

/// Adds closed listeners up, in the order in which they closed, until at most about `most` are left; how
/// many went into others.
pub(super) fn fold(closed: &mut Vec<(Listener, Totals)>, most: usize) -> u64 {
    let before = closed.len();
    merge(closed, |listener| {
        let Listener { id, netns, netns_cookie, address, port, device, .. } = listener;
        (*id != 0, *netns, *netns_cookie, *address, *port, *device)
    });
    let half = most / 2;
    if closed.len() > most {
        // A half at once, so that it is not to be done each time.
        let surplus = closed.len() - half;
        closed[..surplus].iter_mut().for_each(|(listener, _)| *listener = nameless(listener));
        merge(closed, |listener| (listener.id, listener.netns, listener.netns_cookie));
    }
    if closed.len() > most {
        let surplus = closed.len() - half;
        for (listener, _) in &mut closed[..surplus] {
            (listener.id, listener.netns, listener.netns_cookie) = (0, 0, 0);
        }
        merge(closed, |listener| (listener.id, listener.netns, listener.netns_cookie));
    }
    (before - closed.len()) as u64
}

/// Adds up what has the same key, in the place of the last of them.
fn merge<K: Hash + Eq>(closed: &mut Vec<(Listener, Totals)>, key: impl Fn(&Listener) -> K) {
    let mut places: HashMap<K, usize> = HashMap::with_capacity(closed.len());
    let mut merged: Vec<Option<(Listener, Totals)>> = Vec::with_capacity(closed.len());
    for (mut listener, mut totals) in closed.drain(..) {
        if let Some(place) = places.insert(key(&listener), merged.len())
            && let Some((former, sum)) = merged[place].take()
        {
            // It keeps its number: it is the same to whoever watches.
            listener.id = former.id;
            totals.add(&sum);
        }
        merged.push(Some((listener, totals)));
    }
    closed.extend(merged.into_iter().flatten());
}

/// What stands for the closed listeners of a namespace.
fn nameless(listener: &Listener) -> Listener {
    Listener {
        id: 0,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
        device: None,
        cookie: 0,
        netns: listener.netns,
        netns_cookie: listener.netns_cookie,
        limit: 0,
        asked: None,
        somaxconn: None,
        owners: Vec::new(),
        closed: true,
    }
}

#[cfg(test)]
mod tests {
    use queue_trace_common::{ListenerInfo, Outcome};

    use super::*;

    fn closed(id: u32, netns: u32, port: u16) -> (Listener, Totals) {
        let info = ListenerInfo { netns, port, family: 2, closed_ns: 1, ..ListenerInfo::default() };
        let mut totals = Totals::default();
        totals.outcomes[Outcome::Accepted as usize] = 1;
        (Listener::from_info(id, &info), totals)
    }

    fn accepted(all: &[(Listener, Totals)]) -> u64 {
        all.iter().map(|(_, totals)| totals.of(Outcome::Accepted)).sum()
    }

    #[test]
    fn a_service_that_restarts_is_one() {
        let mut all = vec![closed(1, 7, 80), closed(2, 7, 443), closed(3, 7, 80), closed(4, 8, 80)];
        assert_eq!(fold(&mut all, 10), 1);
        let shown: Vec<_> =
            all.iter().map(|(l, t)| (l.id, l.netns, l.port, t.of(Outcome::Accepted))).collect();
        assert_eq!(shown, [(2, 7, 443, 1), (1, 7, 80, 2), (4, 8, 80, 1)]);
    }

    #[test]
    fn the_oldest_places_are_added_up_by_namespace() {
        let mut all = Vec::new();
        let mut folded = 0;
        for round in 0..1_000_u32 {
            all.push(closed(round + 1, round % 2, 1_000 + round as u16));
            folded += fold(&mut all, 20);
            assert!(all.len() <= 20);
        }
        assert_eq!(accepted(&all), 1_000);
        assert_eq!(folded, 1_000 - all.len() as u64);
        let nameless: Vec<_> = all.iter().filter(|(listener, _)| listener.id == 0).collect();
        assert_eq!(nameless.len(), 2);
        assert!(nameless.iter().all(|(listener, _)| listener.socket().is_none()));
        assert_eq!(all.last().unwrap().0.id, 1_000);
    }

    #[test]
    fn any_number_of_namespaces_is_bounded() {
        let mut all = Vec::new();
        for round in 0..1_000 {
            all.push(closed(round + 1, round + 1, 80));
            fold(&mut all, 20);
            assert!(all.len() <= 20);
        }
        assert_eq!(accepted(&all), 1_000);
        assert!(all.iter().any(|(listener, _)| (listener.id, listener.netns) == (0, 0)));
    }
}
