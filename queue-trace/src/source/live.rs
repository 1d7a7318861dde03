//! The running kernel as a source.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use queue_trace_common::{Fault, Outcome, Record};
use rustix::time::{ClockId, clock_gettime};

use super::books::{Books, Identity};
use super::names::Names;
use super::seeds::Seeds;
use super::status::Before;
use crate::kernel::attach::Took;
use crate::kernel::attach::{Attached, Settings, attach};
use crate::kernel::hooks::Plan;
use crate::kernel::maps::Maps;
use crate::kernel::ring::Records;
use crate::kernel::slots::Slots;
use crate::model::{Balance, Listener, QueueEvent, Totals};

/// How long a closed listener's slot is kept: its half-open requests die when their timers next
/// fire, and those back off to 120 s (`TCP_RTO_MAX`).
const LATE_EVENTS: Duration = Duration::from_secs(125);

/// What became known at the start.
#[derive(Debug, Clone)]
pub struct Start {
    /// What was attached.
    pub plan: Plan,
    /// What attaching took.
    pub took: Took,
    /// Listeners that were there already.
    pub listeners: usize,
    /// What could not be seen, one line each.
    pub notes: Vec<String>,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Each listener at which something happened, and what.
    pub listeners: Vec<(Listener, Totals)>,
    /// Records that were streamed but found no room, by outcome.
    pub shed: Vec<(Outcome, u64)>,
    /// Outcomes that the kernel's own counters contradict, where they are compared.
    pub contradicted: Vec<(Outcome, u64)>,
    /// Troubles of the kernel side, those that happened.
    pub faults: Vec<(Fault, u64)>,
    /// Calls of our programs that the kernel skipped, as far as it counts them.
    pub missed: u64,
    /// The books of each namespace.
    pub books: Vec<Balance>,
}

/// The kernel side, attached and counting.
pub struct Live {
    // Held for its links: dropping it detaches.
    attached: Attached,
    maps: Maps,
    records: Records,
    seeds: Seeds,
    books: Books,
    /// Calls that were skipped before counting began.
    missed_before: u64,
    names: Names,
    closed: Vec<(Listener, Totals)>,
    /// At the last status.
    pub(super) before: Before,
}

impl Live {
    /// Attaches and begins to count. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line for the user: what is missing and what to do.
    pub fn start(settings: &Settings) -> anyhow::Result<(Self, Start)> {
        let mut attached = attach(settings)?;
        let (mut maps, ring) = Maps::take(&mut attached).context("cannot use the maps")?;
        let mut records = Records::new(ring).context("cannot wait for records")?;
        let seeds = Seeds::gather();
        let books =
            Books::open(&seeds.namespaces, seeds.complete, attached.netns_cookies, |count| {
                if count {
                    return maps.arm(true);
                }
                maps.reset();
                records.rest(|_| true);
            });
        let start = Start {
            plan: attached.plan.clone(),
            took: attached.took,
            listeners: seeds.count(),
            notes: seeds.notes.clone(),
        };
        let live = Self {
            missed_before: attached.misses().calls,
            attached,
            maps,
            records,
            seeds,
            books,
            names: Names::default(),
            closed: Vec::new(),
            before: Before::new(),
        };
        Ok((live, start))
    }

    /// Waits for events and hands them over; stops early when `each` answers false.
    ///
    /// # Errors
    ///
    /// When the ring buffer cannot be waited for.
    pub async fn events(
        &mut self,
        mut each: impl FnMut(&Listener, &QueueEvent) -> bool,
    ) -> anyhow::Result<()> {
        let Self { records, maps, seeds, names, .. } = self;
        records
            .read(|record| deliver(names, &maps.slots, seeds, &record, &mut each))
            .await
            .context("cannot read records")
    }

    /// Hands over the events that are there, without waiting.
    pub fn rest(&mut self, mut each: impl FnMut(&Listener, &QueueEvent) -> bool) {
        let Self { records, maps, seeds, names, .. } = self;
        records.rest(|record| deliver(names, &maps.slots, seeds, &record, &mut each));
    }

    /// Takes the totals of listeners that closed long enough ago, and gives their slots back.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn tidy(&mut self) -> anyhow::Result<()> {
        let now = monotonic_ns();
        for (slot, info) in self.maps.slots.used() {
            let late = Duration::from_nanos(now.saturating_sub(info.closed_ns));
            if info.closed_ns != 0 && late > LATE_EVENTS {
                let listener = self.names.note(slot, &info, |l| self.seeds.owners(&info, l));
                let totals = self.maps.slots.totals(slot, &info, now);
                self.closed.push((listener.clone(), totals));
                self.names.forget(slot);
                self.maps.release(slot, info.socket)?;
            }
        }
        Ok(())
    }

    /// Everything counted so far.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        let mut listeners = self.closed.clone();
        listeners.extend(self.listeners()?);
        let mut sums: HashMap<Identity, Totals> = HashMap::new();
        for (listener, totals) in &listeners {
            let identity = self.books.identity(listener.netns.into(), listener.netns_cookie);
            sums.entry(identity).or_default().add(totals);
        }
        let mut books = self.books.close(&sums);
        books.iter_mut().for_each(|balance| balance.leave_out(&self.attached.plan.uncounted));
        let there = |counts: [u64; Outcome::COUNT]| {
            Outcome::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
        };
        let faults = Fault::ALL.iter().copied().zip(self.maps.faults());
        Ok(Snapshot {
            listeners,
            shed: there(self.maps.shed()),
            contradicted: there(self.maps.contradicted()),
            faults: faults.filter(|(_, count)| *count > 0).collect(),
            missed: self.attached.misses().calls.saturating_sub(self.missed_before),
            books,
        })
    }

    /// What was counted at the listeners that have their slot still.
    pub(super) fn listeners(&mut self) -> anyhow::Result<Vec<(Listener, Totals)>> {
        // The shared slot has no address.
        let shared = std::iter::once((0, self.maps.slots.info(0)));
        let used: Vec<_> = shared.chain(self.maps.slots.used()).collect();
        self.attached.look(used.iter().map(|(slot, _)| *slot))?;
        let now = monotonic_ns();
        let mut listeners = Vec::new();
        for (slot, info) in used {
            let totals = self.maps.slots.totals(slot, &info, now);
            if !totals.is_empty() {
                let listener = self.names.note(slot, &info, |l| self.seeds.owners(&info, l));
                listeners.push((listener.clone(), totals));
            }
        }
        Ok(listeners)
    }

    /// Recent peaks are those from now on.
    pub(super) fn next_period(&mut self) {
        self.maps.next_period();
    }

    /// Which hooks are attached.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.attached.plan
    }
}

/// Hands a record over as an event at its listener.
fn deliver(
    names: &mut Names,
    slots: &Slots,
    seeds: &Seeds,
    record: &Record,
    each: &mut impl FnMut(&Listener, &QueueEvent) -> bool,
) -> bool {
    let Some(event) = QueueEvent::from_record(record) else { return true };
    // `listen()` changes what the slot says.
    let changed = matches!(event.outcome, Outcome::Listen | Outcome::BacklogChanged);
    if changed || names.get(record.slot).is_none() {
        let info = slots.info(record.slot);
        names.note(record.slot, &info, |listener| seeds.owners(&info, listener));
    }
    names.get(record.slot).is_none_or(|listener| match changed {
        // The next call may have changed the slot by now.
        true => each(&listener.after(record), &event),
        false => each(listener, &event),
    })
}

/// Now, on the clock that the kernel side stamps with.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
