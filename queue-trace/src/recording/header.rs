//! What a recording is of.

use std::time::Duration;

use jiff::Timestamp;
use queue_trace_common::Event;

use super::{names, wire};
use crate::model::Means;

/// What a recording is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The version of queue-trace that recorded.
    pub program: String,
    /// The name of the machine.
    pub host: String,
    /// The release of its kernel.
    pub kernel: String,
    /// When the recording began, nanoseconds of the monotonic clock; the same in all files of a recording.
    pub start_ns: u64,
    /// The wall clock then.
    pub wall: Timestamp,
    /// How many files of the same recording came before.
    pub part: u64,
    /// How many hooks were attached.
    pub hooks: usize,
    /// How the kernel was watched, as far as it was recorded.
    pub means: Means,
    /// Only listeners on these ports were recorded; all if there are none.
    pub ports: Vec<u16>,
    /// Only these events were asked for; all if there are none. There may be others in the file, which
    /// tell how refused clients fared.
    pub events: Vec<Event>,
}

impl Header {
    /// As the message of the first block, with the names of this program's numbers.
    pub(super) fn message(&self) -> wire::Header {
        let [outcomes, tallies, faults] = names::all();
        let Self { program, host, kernel, start_ns, wall, part, means, .. } = self.clone();
        wire::Header {
            program,
            host,
            kernel,
            start_ns,
            // 64 bits last until the year 2262.
            wall_ns: wall.as_nanosecond() as i64,
            part,
            tier: means.tier,
            hooks: self.hooks as u64,
            listeners: means.listeners as u64,
            losses: means.losses,
            uncounted: means.uncounted,
            notes: means.notes,
            ports: self.ports.iter().map(|port| u32::from(*port)).collect(),
            events: self.events.iter().map(|event| event.name().to_owned()).collect(),
            outcomes,
            tallies,
            faults,
            functions: means.hooks.iter().map(|(function, _)| function.clone()).collect(),
            returns: means.hooks.iter().map(|(_, returns)| *returns).collect(),
            refusal: means.refusal,
            refused: means.refused,
            syn_by_mib: means.syn_by_mib,
            ack_by_mib: means.ack_by_mib,
            privileges: means.privileges,
            took_ns: means.took.map(|time| time.as_nanos() as u64).to_vec(),
        }
    }
}

impl From<wire::Header> for Header {
    fn from(message: wire::Header) -> Self {
        let known = |name: &String| Event::ALL.into_iter().find(|event| event.name() == name);
        let took = |place: usize| message.took_ns.get(place).copied().unwrap_or_default();
        let means = Means {
            tier: message.tier,
            listeners: message.listeners as usize,
            losses: message.losses,
            uncounted: message.uncounted,
            notes: message.notes,
            hooks: message.functions.into_iter().zip(message.returns).collect(),
            refusal: message.refusal,
            refused: message.refused,
            syn_by_mib: message.syn_by_mib,
            ack_by_mib: message.ack_by_mib,
            privileges: message.privileges,
            took: [0, 1, 2].map(took).map(Duration::from_nanos),
        };
        Self {
            means,
            program: message.program,
            host: message.host,
            kernel: message.kernel,
            start_ns: message.start_ns,
            wall: Timestamp::from_nanosecond(message.wall_ns.into()).unwrap_or_default(),
            part: message.part,
            hooks: message.hooks as usize,
            ports: message.ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect(),
            events: message.events.iter().filter_map(known).collect(),
        }
    }
}
