//! Arguments of the commands that take events: which ones, and how.

use queue_trace_common::{Event, Outcome};

use super::attach::AttachArgs;
use crate::kernel::attach::Settings;
use crate::model::{Clients, Listener};

/// Which events.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FilterArgs {
    /// Show only events of listeners on this port; may be given several times
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Vec<u16>,
    /// Show only this kind of event; may be given several times
    #[arg(long, value_parser = event_parser(), value_name = "EVENT")]
    pub event: Vec<Event>,
}

/// How to take them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CaptureArgs {
    /// Count accepted connections by process, too: who took how many at listeners that several hold
    #[arg(long)]
    pub workers: bool,
    /// Compare each outcome with the kernel's own counters as it happens (slower)
    #[arg(long)]
    pub verify: bool,
    /// Leave this program out, as if the kernel had refused it
    #[arg(long, hide = true, value_name = "PROGRAM")]
    pub without_hook: Vec<String>,
    /// How many records each CPU holds until they are read; a power of two
    #[arg(long, hide = true, value_name = "RECORDS", value_parser = power_of_two)]
    pub ring_records: Option<u32>,
    /// How to attach.
    #[command(flatten)]
    pub attach: AttachArgs,
}

fn power_of_two(text: &str) -> Result<u32, String> {
    let records = text.parse().ok().filter(|records: &u32| records.is_power_of_two());
    records.filter(|records| *records <= 1 << 15).ok_or("not a power of two up to 32768".into())
}

fn event_parser() -> impl clap::builder::TypedValueParser<Value = Event> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Event::ALL.map(Event::name)).map(|name| {
        // The parser lets only names of the list pass.
        Event::ALL.into_iter().find(|event| event.name() == name).unwrap_or(Event::SynRefused)
    })
}

impl FilterArgs {
    /// Whether events of this listener are to be shown.
    pub(super) fn wants(&self, listener: &Listener) -> bool {
        self.port.is_empty() || self.port.contains(&listener.port)
    }

    /// Whether events of this kind are to be shown.
    pub(super) fn shows(&self, event: Event) -> bool {
        self.event.is_empty() || self.event.contains(&event)
    }

    /// Whether the kernel side is to stream this outcome for its own sake. A server that polls with a
    /// non-blocking `accept()` gets EAGAIN all the time, which nobody wants to see who has not asked.
    fn streams(&self, outcome: Outcome) -> bool {
        self.shows(outcome.event()) && (outcome != Outcome::AcceptEagain || !self.event.is_empty())
    }

    /// Settings that take these events.
    pub(super) fn settings(&self, capture: &CaptureArgs) -> Settings {
        // What clients paid is told whatever is shown.
        let stream = Outcome::mask(|outcome| self.streams(outcome) || Clients::needs(outcome));
        Settings {
            stream,
            ports: self.port.clone(),
            verify: capture.verify,
            workers: capture.workers,
            without: capture.without_hook.clone(),
            ring_records: capture.ring_records,
            ..capture.attach.settings()
        }
    }
}
