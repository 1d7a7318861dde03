//! Events, column by column.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use queue_trace_common::COMM_LENGTH;

use super::listeners::address;
use super::names::Numbers;
use super::wire;
use crate::model::{Caller, QueueEvent};

/// Events that are gathered for a block.
#[derive(Debug, Default)]
pub(super) struct Columns {
    message: wire::Events,
    last_ns: u64,
    callers: HashMap<(u32, [u8; COMM_LENGTH]), u32>,
}

impl Columns {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.message.times.len()
    }

    /// Adds an event at the listener with this number.
    pub(super) fn push(&mut self, listener: u32, event: &QueueEvent) {
        let process = event.process.map_or(0, |process| self.caller(process));
        let Self { message, last_ns, .. } = self;
        message.times.push(event.time_ns.wrapping_sub(*last_ns).cast_signed());
        *last_ns = event.time_ns;
        message.outcomes.push(event.outcome as u8);
        message.listeners.push(listener);
        message.accept_depths.push(event.accept_depth);
        message.syn_depths.push(event.syn_depth);
        message.limits.push(event.limit);
        // A time of 0 is one that is not known: see `Record::duration_ns`.
        message.durations.push(event.duration_ns.unwrap_or(0));
        message.details.push(event.detail);
        message.processes.push(process);
        let Some(client) = event.client else { return message.client_versions.push(0) };
        match client.ip() {
            IpAddr::V4(address) => {
                message.client_versions.push(4);
                message.client_addresses.extend(address.octets());
            }
            IpAddr::V6(address) => {
                message.client_versions.push(6);
                message.client_addresses.extend(address.octets());
            }
        }
        message.client_ports.push(u32::from(client.port()));
    }

    fn caller(&mut self, Caller { pid, comm }: Caller) -> u32 {
        let callers = &mut self.message.callers;
        *self.callers.entry((pid, comm)).or_insert_with(|| {
            callers.push(wire::Caller { pid, comm: comm.to_vec() });
            callers.len() as u32
        })
    }

    /// Takes what was gathered.
    pub(super) fn take(&mut self) -> wire::Events {
        std::mem::take(self).message
    }
}

/// Hands over the events of a block, each with the number of its listener, or nothing in place of one
/// whose outcome this program does not know. Nothing if the columns do not fit together.
pub(super) fn each(
    message: &wire::Events,
    numbers: &Numbers,
    mut each: impl FnMut(Option<(u32, QueueEvent)>) -> Option<()>,
) -> Option<()> {
    let mut addresses = message.client_addresses.as_slice();
    let mut ports = message.client_ports.iter();
    let mut time_ns = 0_u64;
    for (place, elapsed) in message.times.iter().enumerate() {
        time_ns = time_ns.wrapping_add(elapsed.cast_unsigned());
        let client = match message.client_versions.get(place)? {
            0 => None,
            version => {
                let (bytes, rest) =
                    addresses.split_at_checked(if *version == 6 { 16 } else { 4 })?;
                addresses = rest;
                let port = u16::try_from(*ports.next()?).ok()?;
                Some(SocketAddr::new(address(bytes)?, port))
            }
        };
        let process = match *message.processes.get(place)? {
            0 => None,
            number => Some(caller(message.callers.get(number as usize - 1)?)?),
        };
        let Some(outcome) = numbers.outcome((*message.outcomes.get(place)?).into()) else {
            each(None)?;
            continue;
        };
        let duration_ns = *message.durations.get(place)?;
        let event = QueueEvent {
            time_ns,
            outcome,
            client,
            accept_depth: *message.accept_depths.get(place)?,
            syn_depth: *message.syn_depths.get(place)?,
            limit: *message.limits.get(place)?,
            duration_ns: (duration_ns != 0).then_some(duration_ns),
            detail: *message.details.get(place)?,
            process,
        };
        each(Some((*message.listeners.get(place)?, event)))?;
    }
    Some(())
}

fn caller(message: &wire::Caller) -> Option<Caller> {
    Some(Caller { pid: message.pid, comm: message.comm.as_slice().try_into().ok()? })
}
