//! What the daemon says of its time when it ends.

use queue_trace_common::Event;

use super::history::Size;
use super::published::Published;
use super::refusals::who;
use crate::model::{Listener, Totals};

/// The most listeners that are told of.
const MOST: usize = 20;

/// One line for each listener that had trouble, the worst last, and one for all.
pub(super) fn lines(published: &Published, kept: Size) -> Vec<String> {
    let snapshot = &published.snapshot;
    let mut troubled: Vec<_> =
        snapshot.listeners.iter().filter(|(_, totals)| trouble(totals) > (0, 0)).collect();
    troubled.sort_by_key(|(listener, totals)| (trouble(totals), listener.id));
    let untold = troubled.len().saturating_sub(MOST);
    let mut lines: Vec<_> =
        troubled[untold..].iter().map(|(listener, totals)| line(listener, totals)).collect();
    if untold > 0 {
        lines.insert(0, format!("{untold} more listeners had trouble"));
    }
    let seconds = published.at.duration_since(published.started).as_secs_f64();
    lines.push(format!(
        "{} listeners in {seconds:.0} s, {} with trouble; {} points of history in {} KiB",
        snapshot.listeners.iter().filter(|(listener, _)| !listener.closed).count(),
        troubled.len(),
        kept.points,
        kept.memory.div_ceil(1024),
    ));
    lines
}

/// How much a listener refused, and for how long its accept queue was full.
fn trouble(totals: &Totals) -> (u64, u64) {
    let refused = totals.of_event(Event::SynRefused) + totals.of_event(Event::AckRefused);
    (refused, totals.accept_full_ns)
}

fn line(listener: &Listener, totals: &Totals) -> String {
    let Totals { accept_peak, accept_full_ns, .. } = totals;
    let mut line = format!("{}: at most {accept_peak}/{} waited", who(listener), listener.limit);
    line += &format!(", accept queue full for {:.3} s", *accept_full_ns as f64 / 1e9);
    for event in [Event::SynRefused, Event::AckRefused, Event::Established, Event::Accept] {
        let count = totals.of_event(event);
        if count > 0 {
            line += &format!(", {count} {}", event.name());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use queue_trace_common::{ListenerInfo, Outcome};

    use super::*;
    use crate::model::Snapshot;

    #[test]
    fn the_worst_stands_last_before_the_sum() {
        let listener = |id: u32, refused: u64| {
            let info = ListenerInfo { port: id as u16, limit: 5, family: 2, ..Default::default() };
            let mut totals =
                Totals { accept_peak: 6, accept_full_ns: 1_500_000_000, ..Totals::default() };
            totals.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
            (Listener::from_info(id, &info), totals)
        };
        let idle = (listener(9, 0).0, Totals::default());
        let listeners = vec![listener(80, 7), idle, listener(81, 3)];
        let [at, started] = [110, 100].map(|second| Timestamp::from_second(second).unwrap());
        let snapshot = Snapshot { listeners, ..Snapshot::default() };
        let published = Published::new(snapshot, at, started, Vec::new());
        let kept = Size { points: 12, memory: 2_000, ..Size::default() };
        let full = "at most 6/5 waited, accept queue full for 1.500 s";
        assert_eq!(
            lines(&published, kept),
            [
                format!("0.0.0.0:81: {full}, 3 syn_refused"),
                format!("0.0.0.0:80: {full}, 7 syn_refused"),
                "3 listeners in 10 s, 2 with trouble; 12 points of history in 2 KiB".to_owned(),
            ]
        );
    }
}
