//! Events and listeners as rows of tables, for programs that work on columns. The names of the columns are
//! an interface: those of events mean what they mean in JSON.

use std::io;
use std::net::IpAddr;

use queue_trace_common::{Event, Histogram, Outcome};

use super::clock::Clock;
use crate::model::{Listener, QueueEvent, Totals};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A time, nanoseconds since 1970 in UTC.
    Time,
    /// A number that is not negative.
    Number,
    /// Text.
    Text,
    /// Whether it is so.
    Flag,
}

/// What one row has in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    None,
    /// Of [`Kind::Time`].
    Time(i64),
    /// Of [`Kind::Number`].
    Number(u64),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Flag`].
    Flag(bool),
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// What takes rows, all of the same columns.
pub trait Table {
    /// Takes one row.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn row(&mut self, values: Vec<Value>) -> io::Result<()>;

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn end(self: Box<Self>) -> io::Result<()>;
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<IpAddr> for Value {
    fn from(address: IpAddr) -> Self {
        Self::Text(address.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

const EVENT_COLUMNS: [(&str, Kind); 24] = [
    ("time", Kind::Time),
    ("event", Kind::Text),
    ("reason", Kind::Text),
    ("listener", Kind::Number),
    ("address", Kind::Text),
    ("port", Kind::Number),
    ("netns", Kind::Number),
    ("client_address", Kind::Text),
    ("client_port", Kind::Number),
    ("accept_depth", Kind::Number),
    ("syn_depth", Kind::Number),
    ("limit", Kind::Number),
    ("wait_ns", Kind::Number),
    ("handshake_ns", Kind::Number),
    ("age_ns", Kind::Number),
    ("data_bytes", Kind::Number),
    ("retransmit", Kind::Number),
    ("acked", Kind::Flag),
    ("asked_backlog", Kind::Number),
    ("somaxconn", Kind::Number),
    ("former_limit", Kind::Number),
    ("errno", Kind::Number),
    ("pid", Kind::Number),
    ("comm", Kind::Text),
];

/// The columns of events.
#[must_use]
pub fn event_columns() -> Vec<Column> {
    let column = |(name, kind): (&str, Kind)| Column { name: name.to_owned(), kind };
    EVENT_COLUMNS.into_iter().map(column).collect()
}

/// An event as a row.
#[must_use]
pub fn event_row(clock: &Clock, listener: &Listener, event: &QueueEvent) -> Vec<Value> {
    let kind = event.event();
    let of =
        |kinds: &[Event], value: Value| if kinds.contains(&kind) { value } else { Value::None };
    let duration = || Value::from(event.duration_ns);
    let retransmit = match kind {
        Event::SynackRetransmit => Value::from(event.detail),
        _ => of(&[Event::RequestExpired], event.resent().into()),
    };
    let listens = [Event::Listen, Event::BacklogChanged];
    vec![
        Value::Time(clock.wall_ns(event.time_ns)),
        kind.name().into(),
        event.outcome.reason().into(),
        listener.id.into(),
        listener.address.into(),
        listener.port.into(),
        listener.netns.into(),
        event.client.map(|client| client.ip()).into(),
        event.client.map(|client| client.port()).into(),
        event.accept_depth.into(),
        event.syn_depth.into(),
        event.limit.into(),
        of(&[Event::Accept, Event::Abandoned], duration()),
        of(&[Event::Established], duration()),
        of(&[Event::RequestExpired], duration()),
        of(&[Event::Established, Event::AckRefused], event.detail.into()),
        retransmit,
        of(&[Event::RequestExpired], event.acked().into()),
        of(&listens, listener.asked.into()),
        of(&listens, listener.somaxconn.into()),
        of(&[Event::BacklogChanged], event.detail.into()),
        of(&[Event::AcceptFailed], event.detail.into()),
        event.process.map(|process| process.pid).into(),
        event.process.as_ref().map(|process| Value::Text(process.name().into_owned())).into(),
    ]
}

const LISTENER_COLUMNS: [(&str, Kind); 26] = [
    ("time", Kind::Time),
    ("listener", Kind::Number),
    ("address", Kind::Text),
    ("port", Kind::Number),
    ("device", Kind::Number),
    ("netns", Kind::Number),
    ("cookie", Kind::Number),
    ("pid", Kind::Number),
    ("comm", Kind::Text),
    ("closed", Kind::Flag),
    ("limit", Kind::Number),
    ("asked_backlog", Kind::Number),
    ("somaxconn", Kind::Number),
    ("accept_depth", Kind::Number),
    ("syn_depth", Kind::Number),
    ("accept_peak", Kind::Number),
    ("syn_peak", Kind::Number),
    ("recent_accept_peak", Kind::Number),
    ("recent_syn_peak", Kind::Number),
    ("accept_full_ns", Kind::Number),
    ("syn_full_ns", Kind::Number),
    ("oldest_wait_ns", Kind::Number),
    ("waits", Kind::Number),
    ("waits_sum_ns", Kind::Number),
    ("handshakes", Kind::Number),
    ("handshakes_sum_ns", Kind::Number),
];

/// The columns of listeners: who, the queues, and a count for each event and reason.
#[must_use]
pub fn listener_columns() -> Vec<Column> {
    let count = |outcome: &Outcome| match outcome.reason() {
        Some(reason) => format!("{}_{reason}", outcome.event().name()),
        None => outcome.event().name().to_owned(),
    };
    let fixed = LISTENER_COLUMNS.into_iter().map(|(name, kind)| (name.to_owned(), kind));
    let counts = Outcome::ALL.iter().map(|outcome| (count(outcome), Kind::Number));
    fixed.chain(counts).map(|(name, kind)| Column { name, kind }).collect()
}

/// A listener at a time of the monotonic clock as a row.
#[must_use]
pub fn listener_row(
    clock: &Clock,
    time_ns: u64,
    listener: &Listener,
    totals: &Totals,
) -> Vec<Value> {
    let sums = |times: &Histogram| [times.count(), times.sum_ns];
    let ([waits, waits_ns], [handshakes, handshakes_ns]) =
        (sums(&totals.waits), sums(&totals.handshakes));
    // The first of several owners.
    let owner = listener.owners.first();
    let mut row = vec![
        Value::Time(clock.wall_ns(time_ns)),
        listener.id.into(),
        listener.address.into(),
        listener.port.into(),
        listener.device.into(),
        listener.netns.into(),
        Some(listener.cookie).filter(|cookie| *cookie != 0).into(),
        owner.map(|owner| owner.pid).into(),
        owner.map(|owner| owner.comm.as_str()).into(),
        listener.closed.into(),
        listener.limit.into(),
        listener.asked.into(),
        listener.somaxconn.into(),
        totals.waiting.into(),
        totals.half_open.into(),
        totals.accept_peak.into(),
        totals.syn_peak.into(),
        totals.recent_accept_peak.into(),
        totals.recent_syn_peak.into(),
        totals.accept_full_ns.into(),
        totals.syn_full_ns.into(),
        totals.oldest_ns.map(|oldest| time_ns.saturating_sub(oldest)).into(),
        waits.into(),
        waits_ns.into(),
        handshakes.into(),
        handshakes_ns.into(),
    ];
    row.extend(totals.outcomes.map(Value::Number));
    row
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::output::{json, sample};

    /// A row as the object that JSON lines have.
    fn object(columns: &[Column], row: Vec<Value>) -> serde_json::Map<String, serde_json::Value> {
        let pairs = columns.iter().map(|column| column.name.clone()).zip(row);
        let json = |value| match value {
            Value::None => None,
            Value::Time(ns) => Some(serde_json::json!(ns)),
            Value::Number(number) => Some(serde_json::json!(number)),
            Value::Text(text) => Some(serde_json::json!(text)),
            Value::Flag(flag) => Some(serde_json::json!(flag)),
        };
        pairs.filter_map(|(name, value)| Some((name, json(value)?))).collect()
    }

    #[test]
    fn a_row_says_what_the_json_line_says() {
        let (mut clock, listener) = (sample::clock(false), sample::listener());
        for event in sample::events() {
            let mut line = Vec::new();
            json::write(&mut line, &mut clock, &listener, &event);
            let mut expected: serde_json::Map<_, _> = serde_json::from_slice(&line).unwrap();
            let mut row = object(&event_columns(), event_row(&clock, &listener, &event));
            let shown: jiff::Timestamp =
                expected.remove("time").unwrap().as_str().unwrap().parse().unwrap();
            let exact = row.remove("time").unwrap().as_i64().unwrap();
            assert_eq!(shown.as_microsecond(), exact / 1000);
            assert_eq!(row, expected);
        }
    }

    #[test]
    fn columns_of_listeners_are_told_apart() {
        let columns = listener_columns();
        let names: HashSet<_> = columns.iter().map(|column| &column.name).collect();
        assert_eq!(names.len(), columns.len());
        let row = listener_row(&sample::clock(false), 2, &sample::listener(), &Totals::default());
        assert_eq!(row.len(), columns.len());
        for (column, value) in columns.iter().zip(row) {
            let kind = match value {
                Value::None => continue,
                Value::Time(_) => Kind::Time,
                Value::Number(_) => Kind::Number,
                Value::Text(_) => Kind::Text,
                Value::Flag(_) => Kind::Flag,
            };
            assert_eq!(kind, column.kind, "{}", column.name);
        }
    }
}
