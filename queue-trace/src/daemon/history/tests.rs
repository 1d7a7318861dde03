//! Of the history as a whole.

use std::net::{IpAddr, Ipv4Addr};

use queue_trace_common::Outcome;

use super::*;
use crate::model::Listener;

const ROOMY: Bounds = Bounds { memory: 64 << 20, listeners: 10_000 };

fn listener(id: u32) -> Listener {
    Listener {
        id,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 80,
        device: None,
        cookie: id.into(),
        netns: 1,
        netns_cookie: 0,
        limit: 5,
        asked: None,
        somaxconn: None,
        owners: Vec::new(),
        closed: false,
    }
}

/// Listeners with their totals, numbered from 1.
fn snapshot(totals: impl IntoIterator<Item = Totals>) -> Snapshot {
    let listeners = (1..).map(listener).zip(totals).collect();
    Snapshot { listeners, ..Snapshot::default() }
}

fn counted(outcome: Outcome, count: u64) -> Totals {
    let mut totals = Totals::default();
    totals.outcomes[outcome as usize] = count;
    totals
}

#[test]
fn seconds_and_minutes_have_what_came_in_them() {
    let mut history = History::new(ROOMY);
    let mut before = snapshot([Totals::default()]);
    for second in 600..780 {
        // 2 SYNs each second but for those from 660 on, in which there is nothing.
        let syns = 2 * u64::from(second.min(659) - 599);
        let now = snapshot([counted(Outcome::SynQueued, syns)]);
        history.note(second, &before, &now);
        history.advance(second);
        before = now;
    }
    let seconds: Vec<_> = history.seconds(1).collect();
    assert_eq!(seconds.len(), 60);
    assert_eq!((seconds[0].0, seconds[59].0), (600, 659));
    assert!(seconds.iter().all(|(_, point)| *point == Point { syns: 2, ..Point::default() }));
    let minutes: Vec<_> = history.minutes(1).collect();
    assert_eq!(minutes, [(600, Point { syns: 120, ..Point::default() })]);
}

#[test]
fn readings_of_one_second_are_one_point() {
    let mut history = History::new(ROOMY);
    let state = |count, waiting| Totals { waiting, ..counted(Outcome::Established, count) };
    let readings = [state(0, 0), state(3, 3), state(4, 2), state(9, 7)].map(|t| snapshot([t]));
    for pair in readings.windows(2) {
        history.note(50, &pair[0], &pair[1]);
        history.advance(50);
    }
    history.advance(51);
    let expected = Point { established: 9, waiting: 7, accept_peak: 7, ..Point::default() };
    assert_eq!(history.seconds(1).collect::<Vec<_>>(), [(50, expected)]);
}

#[test]
fn idle_listeners_cost_nothing() {
    let mut history = History::new(ROOMY);
    let idle = snapshot(vec![counted(Outcome::Accepted, 1_000); 1_000]);
    for second in 0..120 {
        history.note(second, &idle, &idle);
        history.advance(second);
    }
    assert_eq!(history.size(), Size::default());
}

#[test]
fn connections_that_wait_are_seen_though_nothing_happens() {
    let mut history = History::new(ROOMY);
    let full = snapshot([Totals { waiting: 6, ..Totals::default() }]);
    for second in 0..10 {
        history.note(second, &full, &full);
    }
    history.advance(10);
    assert_eq!(history.seconds(1).count(), 10);
}

#[test]
fn the_last_of_a_listener_counts_but_not_what_is_added_to_it_later() {
    let mut history = History::new(ROOMY);
    let closed = |count| {
        let mut snapshot = snapshot([counted(Outcome::SynQueued, count)]);
        snapshot.listeners[0].0.closed = true;
        snapshot
    };
    history.note(10, &snapshot([counted(Outcome::SynQueued, 3)]), &closed(5));
    history.note(200, &closed(5), &closed(900));
    history.advance(201);
    assert_eq!(
        history.seconds(1).collect::<Vec<_>>(),
        [(10, Point { syns: 2, ..Point::default() })]
    );
}

#[test]
fn what_is_too_old_goes_and_then_the_listener() {
    let mut history = History::new(ROOMY);
    let none = snapshot([Totals::default()]);
    history.note(100, &none, &snapshot([counted(Outcome::SynQueued, 1)]));
    history.advance(101);
    assert_eq!((history.seconds(1).count(), history.minutes(1).count()), (1, 0));
    history.advance(100 + HOUR + 60);
    assert_eq!((history.seconds(1).count(), history.minutes(1).count()), (0, 1));
    history.advance(100 + DAY + 120);
    assert_eq!(history.size(), Size::default());
}

/// `listeners` busy ones for some seconds, of which the first refuses a SYN each second.
fn run(history: &mut History, listeners: u64, seconds: u32) {
    let at = |second: u32| {
        snapshot((0..listeners).map(|number| {
            let count = u64::from(second) * (number + 1) * 37;
            let mut totals = counted(Outcome::SynQueued, count);
            totals.outcomes[Outcome::Established as usize] = count;
            totals.outcomes[Outcome::Accepted as usize] = count;
            let refused = if number == 0 { second.into() } else { 0 };
            totals.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
            totals.waiting = u64::from(second) % 50;
            totals
        }))
    };
    let mut before = at(0);
    for second in 1..=seconds {
        let now = at(second);
        history.note(second, &before, &now);
        history.advance(second);
        before = now;
    }
}

#[test]
fn memory_is_bounded_and_the_one_in_trouble_is_kept_whole() {
    let bounds = Bounds { memory: 300 << 10, listeners: 10_000 };
    let mut history = History::new(bounds);
    run(&mut history, 100, 600);
    let size = history.size();
    assert!(size.memory <= bounds.memory, "{size:?}");
    assert!(size.shortened > 0, "{size:?}");
    assert_eq!(history.seconds(1).count(), 599);
    assert!(history.seconds(50).count() < 599);
    // Minutes are last to go.
    assert_eq!(size.evicted, 0);
    assert!((1..=100).all(|id| history.minutes(id).count() == 10), "{size:?}");
}

#[test]
fn the_number_of_listeners_is_bounded() {
    let mut history = History::new(Bounds { listeners: 10, ..ROOMY });
    run(&mut history, 30, 3);
    let size = history.size();
    assert_eq!(size.listeners, 10);
    assert!(size.evicted >= 20, "{size:?}");
    assert_eq!(history.seconds(1).count(), 2);
}
