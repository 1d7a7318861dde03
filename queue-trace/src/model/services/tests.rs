use proptest::prelude::*;
use queue_trace_common::Outcome;

use super::*;

fn listener(id: u32, port: u16, closed: bool) -> Listener {
    Listener {
        id,
        address: IpAddr::from([127, 0, 0, 1]),
        port,
        device: None,
        cookie: 0,
        netns: 1,
        netns_cookie: 0,
        limit: 4,
        asked: None,
        somaxconn: None,
        owners: Vec::new(),
        closed,
    }
}

fn accepted(count: u64) -> Totals {
    let mut totals = Totals::default();
    totals.outcomes[Outcome::Accepted as usize] = count;
    totals.waits.buckets[3] = count;
    totals.waits.sum_ns = count * 5_000;
    totals
}

fn snapshot(seconds: u64, listeners: Vec<(Listener, Totals)>) -> Snapshot {
    Snapshot { time_ns: seconds * 1_000_000_000, listeners, ..Snapshot::default() }
}

fn accepts(services: &Services) -> Vec<(u16, u64)> {
    let of = |(key, service): (&Key, &Service)| (key.port, service.totals.of(Outcome::Accepted));
    services.known().map(of).collect()
}

fn remaining(services: &Services) -> u64 {
    services.remainder().totals.of(Outcome::Accepted)
}

#[test]
fn a_restart_goes_on_counting_also_when_the_old_listener_has_vanished() {
    let mut services = Services::new(10);
    let mut old = accepted(5);
    (old.waiting, old.oldest_ns) = (2, Some(1));
    services.fold(&snapshot(1, vec![(listener(1, 80, false), old)]));
    services.fold(&snapshot(
        2,
        vec![(listener(1, 80, true), accepted(7)), (listener(2, 80, false), accepted(1))],
    ));
    assert_eq!(accepts(&services), [(80, 8)]);
    services.fold(&snapshot(3, vec![(listener(2, 80, false), accepted(4))]));
    assert_eq!(accepts(&services), [(80, 11)]);
    let service = services.known().next().unwrap().1;
    assert_eq!((service.totals.waits.count(), service.totals.waits.sum_ns), (11, 55_000));
    assert_eq!((service.totals.waiting, service.totals.oldest_ns), (0, None));
    assert_eq!((service.open.as_slice(), service.limit), (&[0][..], 4));
}

#[test]
fn beyond_the_bound_the_busiest_have_places_and_the_others_are_summed_up() {
    let mut services = Services::new(2);
    let four = |count| {
        [(1, 80, count), (2, 81, 50), (3, 82, 9), (4, 83, 60)]
            .map(|(id, port, count)| (listener(id, port, false), accepted(count)))
            .to_vec()
    };
    services.fold(&snapshot(1, four(1)));
    assert_eq!((accepts(&services), remaining(&services)), (vec![(81, 50), (83, 60)], 10));
    assert_eq!((services.folded(), services.remainder().limit), (2, 8));
    services.fold(&snapshot(2, four(100)));
    assert_eq!((accepts(&services), remaining(&services)), (vec![(81, 50), (83, 60)], 109));
}

#[test]
fn a_place_goes_to_another_service_when_its_own_is_gone_for_long_and_nothing_is_lost() {
    let mut services = Services::new(1);
    services.fold(&snapshot(1, vec![(listener(1, 80, false), accepted(5))]));
    let next = |count| vec![(listener(2, 81, false), accepted(count))];
    services.fold(&snapshot(2, next(3)));
    services.fold(&snapshot(300, next(4)));
    assert_eq!((accepts(&services), remaining(&services)), (vec![(80, 5)], 4));
    // From now on it has a place of its own; what it counted before stays in the remainder.
    services.fold(&snapshot(700, next(6)));
    assert_eq!((accepts(&services), remaining(&services)), (vec![(81, 2)], 9));
}

#[test]
fn what_had_no_slot_is_in_the_remainder_but_is_no_service() {
    let mut services = Services::new(10);
    services.fold(&snapshot(1, vec![(listener(0, 0, false), accepted(3))]));
    assert_eq!((services.known().count(), services.folded(), remaining(&services)), (0, 0, 3));
}

#[test]
fn a_group_is_as_full_as_its_fullest_member_and_as_uneven_as_its_accepts() {
    let mut services = Services::new(10);
    let (mut full, mut idle) = (accepted(30), accepted(10));
    (full.waiting, full.recent_accept_peak) = (2, 5);
    (idle.waiting, idle.recent_accept_peak) = (1, 1);
    let worker = |pid, accepts| Worker { listener: 1, pid, comm: String::new(), accepts };
    let mut group =
        snapshot(1, vec![(listener(1, 80, false), full), (listener(2, 80, false), idle)]);
    group.workers = vec![worker(7, 10), worker(8, 10)];
    services.fold(&group);
    let service = services.known().next().unwrap().1;
    assert_eq!((service.totals.waiting, service.accept_peak.greatest(), service.limit), (3, 6, 8));
    assert!((service.fullness.greatest() - 1.0).abs() < 1e-9);
    assert_eq!((service.member_imbalance, service.worker_imbalance), (Some(1.5), Some(1.0)));
}

#[test]
fn imbalance_needs_work_and_somebody_else() {
    let cases = [(&[][..], None), (&[3], None), (&[0, 0], None), (&[0, 6, 0], Some(3.0))];
    for (counts, expected) in cases {
        assert_eq!(imbalance(counts), expected, "{counts:?}");
    }
}

#[test]
fn what_a_source_adds_up_is_not_counted_again() {
    let mut services = Services::new(2);
    let (closed, open) = (listener(1, 80, true), listener(2, 80, false));
    services.fold(&snapshot(1, vec![(closed.clone(), accepted(5)), (open, accepted(3))]));
    // The second one closes, counts once more and goes into the first; a third one begins.
    let third = (listener(3, 80, false), accepted(2));
    services.fold(&snapshot(2, vec![(closed, accepted(9)), third.clone()]));
    assert_eq!(accepts(&services), [(80, 11)]);
    // All that closed goes into what stands for several places.
    let others = (listener(0, 0, true), accepted(9));
    services.fold(&snapshot(3, vec![others, third]));
    assert_eq!((accepts(&services), remaining(&services)), (vec![(80, 11)], 0));
}

#[test]
fn places_are_not_taken_by_what_closed_long_ago() {
    let mut services = Services::new(1);
    let both = |count| {
        vec![(listener(1, 80, true), accepted(5)), (listener(2, 81, false), accepted(count))]
    };
    services.fold(&snapshot(1, vec![both(0)[0].clone()]));
    for seconds in [700, 1400, 2100] {
        services.fold(&snapshot(seconds, both(seconds)));
    }
    assert_eq!((accepts(&services), remaining(&services)), (vec![(81, 2100)], 5));
}

proptest! {
    /// Listeners open, count, close, vanish and are added up at random: nothing is lost or counted twice, and
    /// no series falls while it is there.
    #[test]
    fn counters_never_fall_and_add_up(
        steps in prop::collection::vec((1_u16..7, 0_u64..9, 0_u8..7), 1..80)
    ) {
        let mut services = Services::new(3);
        let (mut there, mut next, mut sum) = (Vec::<(Listener, Totals)>::new(), 1, 0);
        let mut before: (Vec<(u16, u64)>, u64) = (Vec::new(), 0);
        for (step, (port, count, action)) in steps.into_iter().enumerate() {
            match action {
                0 => {
                    there.push((listener(next, port, false), accepted(count)));
                    (next, sum) = (next + 1, sum + count);
                }
                1 => there.retain(|(listener, _)| listener.port != port || listener.id == 0),
                2 => there.iter_mut().for_each(|(l, _)| l.closed |= l.port == port),
                3 => add_up(&mut there, |l| l.port == port, |l| (l.id, l.port)),
                4 => add_up(&mut there, |l| l.port == port || l.id == 0, |_| (0, 0)),
                _ => for (listener, totals) in &mut there {
                    if listener.port == port && !listener.closed {
                        *totals = accepted(totals.of(Outcome::Accepted) + count);
                        sum += count;
                    }
                }
            }
            services.fold(&snapshot(step as u64 * 100, there.clone()));
            let now = (accepts(&services), remaining(&services));
            prop_assert_eq!(now.0.iter().map(|(_, count)| count).sum::<u64>() + now.1, sum);
            prop_assert!(now.0.len() <= 3 && now.1 >= before.1);
            for (port, count) in &before.0 {
                let same = now.0.iter().find(|(known, _)| known == port);
                prop_assert!(same.is_none_or(|(_, now)| now >= count) || now.1 > before.1);
            }
            before = now;
        }
    }
}

/// Makes one of several closed listeners, as a source does: `name` gives its number and port.
fn add_up(
    there: &mut Vec<(Listener, Totals)>,
    which: impl Fn(&Listener) -> bool,
    name: impl Fn(&Listener) -> (u32, u16),
) {
    let goes = |(listener, _): &(Listener, Totals)| listener.closed && which(listener);
    let (several, rest): (Vec<_>, Vec<_>) = mem::take(there).into_iter().partition(goes);
    *there = rest;
    if let Some((first, _)) = several.first() {
        let (id, port) = name(first);
        let mut sum = Totals::default();
        several.iter().for_each(|(_, totals)| sum.add(totals));
        there.push((listener(id, port, true), sum));
    }
}

#[test]
fn what_happened_is_past_after_a_minute_also_when_nobody_looked() {
    let seen = |leap: u64| {
        let mut services = Services::new(10);
        let at =
            |seconds, count| snapshot(seconds, vec![(listener(1, 80, false), accepted(count))]);
        services.fold(&at(100, 0));
        services.fold(&at(101, 3));
        let last = at(101 + leap, 3);
        services.fold(&last);
        let (began_ns, lately) = services.lately(&last);
        (lately[0].is_some(), 101 + leap - began_ns / 1_000_000_000)
    };
    let expected = [(true, 11), (true, 31), (true, 59), (false, 30), (false, 30)];
    assert_eq!([10, 30, 58, 59, 600].map(seen), expected);
}
