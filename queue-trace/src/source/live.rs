//! The running kernel as a source.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use queue_trace_common::{Fault, Outcome, Record};

use super::books::{Books, Sums};
use super::names::Names;
use super::seeds::Seeds;
use super::status::Before;
use super::watch::Watch;
use crate::kernel::attach::Took;
use crate::kernel::attach::{Attached, Settings, attach};
pub use crate::kernel::clock::monotonic_ns;
use crate::kernel::hooks::Plan;
use crate::kernel::maps::Maps;
use crate::kernel::ring::Records;
use crate::kernel::slots::Slots;
use crate::model::{Balance, Listener, QueueEvent, Scheduled, Snapshot, Totals, Worker};
use crate::procfs::Sysctls;

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
    /// What is gone on with, if a former process left it pinned.
    pub resumed: Option<Resumed>,
    /// Whether the scheduler tells of processes, or why not; nothing where it is not asked.
    pub scheduler: Option<Result<(), String>>,
}

/// What a former process has counted and left to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// When counting began, nanoseconds since 1970.
    pub began_ns: i64,
    /// Records that found no room or were thinned since then.
    pub not_streamed: u64,
}

/// The kernel side, attached and counting.
pub struct Live {
    // Held for its links: dropping it detaches.
    pub(super) attached: Attached,
    pub(super) maps: Maps,
    records: Records,
    pub(super) seeds: Seeds,
    pub(super) books: Books,
    /// Calls that were skipped before counting began.
    pub(super) missed_before: u64,
    pub(super) names: Names,
    /// Listeners that closed and gave their slot back.
    pub(super) closed: Vec<(Listener, Totals)>,
    /// Who accepted at those.
    pub(super) closed_workers: Vec<Worker>,
    /// At the last status.
    pub(super) before: Before,
    /// At the last readings of a daemon.
    pub(super) watch: Watch,
    /// What has to be kept for the next process, where this one's maps and links are pinned.
    #[cfg(feature = "serve")]
    pub(super) pinned: Option<super::pinned::Pinned>,
}

impl Live {
    /// Attaches and begins to count. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// One line for the user: what is missing and what to do.
    pub fn start(settings: &Settings) -> anyhow::Result<(Self, Start)> {
        let settings = Settings { listeners: Seeds::count_now(), ..settings.clone() };
        Self::begin(attach(&settings)?)
    }

    /// Begins to count with what is attached.
    pub(super) fn begin(attached: Attached) -> anyhow::Result<(Self, Start)> {
        let netns_cookies = attached.netns_cookies;
        Self::with_books(attached, |maps, records, seeds| {
            Books::open(&seeds.namespaces, seeds.complete, netns_cookies, |count| {
                if count {
                    return maps.arm(true);
                }
                maps.reset();
                records.rest(|_| true);
            })
        })
    }

    /// Uses what is attached; the books are opened once everything is ready.
    pub(super) fn with_books(
        mut attached: Attached,
        open: impl FnOnce(&mut Maps, &mut Records, &Seeds) -> Books,
    ) -> anyhow::Result<(Self, Start)> {
        let (mut maps, buffer, rings) = Maps::take(&mut attached).context("cannot use the maps")?;
        let mut records = Records::new(buffer, rings).context("cannot wait for records")?;
        let seeds = Seeds::gather();
        // Before counting: a kprobe is skipped while a map is written.
        let processes = seeds.processes_of_all();
        let watching = attached.scheduler.as_mut().map(|scheduler| match scheduler {
            Ok(scheduler) => scheduler.watch(processes, monotonic_ns).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        });
        let books = open(&mut maps, &mut records, &seeds);
        let start = Start {
            plan: attached.plan.clone(),
            took: attached.took,
            listeners: seeds.count(),
            notes: seeds.notes.clone(),
            resumed: None,
            scheduler: watching,
        };
        give_back();
        let live = Self {
            missed_before: attached.misses().calls,
            attached,
            maps,
            records,
            seeds,
            books,
            names: Names::default(),
            closed: Vec::new(),
            closed_workers: Vec::new(),
            before: Before::default(),
            watch: Watch::default(),
            #[cfg(feature = "serve")]
            pinned: None,
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
        let mut used = self.maps.slots.used();
        used.retain(|(_, info)| {
            let late = Duration::from_nanos(now.saturating_sub(info.closed_ns));
            info.closed_ns != 0 && late > LATE_EVENTS
        });
        for (slot, info) in &used {
            let listener = self.names.note(*slot, info, |l| self.seeds.owners(info, l)).clone();
            let totals = self.maps.slots.totals(*slot, info, now);
            self.retire_workers(listener.id);
            self.closed.push((listener, totals));
        }
        #[cfg(feature = "serve")]
        if !used.is_empty() {
            // Before the slots forget: whoever goes on from here must find one of the two, and not both.
            self.keep(&used)?;
        }
        for (slot, info) in used {
            self.names.forget(slot);
            self.maps.release(slot, info.socket)?;
        }
        self.tidy_workers()
    }

    /// Everything counted so far.
    ///
    /// # Errors
    ///
    /// When the maps cannot be read.
    pub fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        let mut listeners = self.closed.clone();
        listeners.extend(self.listeners()?);
        // A listener without a slot is silent only if there was one to have.
        if self.maps.faults()[Fault::SlotsExhausted as usize] == 0 {
            let silent = self.seeds.silent(&listeners, |cookie| self.names.silent(cookie));
            listeners.extend(silent.into_iter().map(|listener| (listener, Totals::default())));
        }
        let books = self.close_books(&listeners)?;
        let mut snapshot = Snapshot {
            time_ns: monotonic_ns(),
            tier: self.attached.plan.tier.name(),
            listeners,
            workers: self.workers(),
            namespaces: self.seeds.names.clone(),
            programs: self.attached.costs(),
            missed: self.attached.misses().calls.saturating_sub(self.missed_before),
            books,
            ..Snapshot::default()
        };
        self.troubles(&mut snapshot);
        Ok(snapshot)
    }

    /// Our sums over these listeners beside the kernel's counters. The two cannot be read at once.
    fn close_books(&mut self, listeners: &[(Listener, Totals)]) -> anyhow::Result<Vec<Balance>> {
        let mut books = self.books.close(&self.sums(listeners));
        let uncounted = &self.attached.plan.uncounted;
        books.iter_mut().for_each(|(_, balance)| balance.leave_out(uncounted));
        if !books.iter().all(|(_, balance)| balance.even()) {
            let open = self.listeners()?;
            let later = self.sums(self.closed.iter().chain(&open));
            for (identity, balance) in &mut books {
                later.get(identity).into_iter().for_each(|later| balance.settle(later));
            }
        }
        Ok(books.into_iter().map(|(_, balance)| balance).collect())
    }

    fn sums<'a>(&self, listeners: impl IntoIterator<Item = &'a (Listener, Totals)>) -> Sums {
        let mut sums = Sums::new();
        for (listener, totals) in listeners {
            let identity = self.books.identity(listener.netns.into(), listener.netns_cookie);
            sums.entry(identity).or_default().add(totals);
        }
        sums
    }

    /// Notes the troubles of the kernel side so far.
    pub(super) fn troubles(&self, snapshot: &mut Snapshot) {
        let there = |counts: [u64; Outcome::COUNT]| {
            Outcome::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
        };
        snapshot.shed = there(self.maps.shed());
        snapshot.thinned = there(self.maps.thinned());
        snapshot.contradicted = there(self.maps.contradicted());
        let faults = Fault::ALL.iter().copied().zip(self.maps.faults());
        snapshot.faults = faults.filter(|(_, count)| *count > 0).collect();
    }

    /// What was counted at the listeners that have their slot still.
    pub(super) fn listeners(&mut self) -> anyhow::Result<Vec<(Listener, Totals)>> {
        // The shared slot has no address.
        let shared = std::iter::once((0, self.maps.slots.info(0)));
        let used: Vec<_> = shared.chain(self.maps.slots.used()).collect();
        self.attached.look(used.iter().map(|(slot, _)| *slot))?;
        let now = monotonic_ns();
        let mut listeners = Vec::new();
        for (slot, _) in used {
            // Looking may have found its cookie.
            let info = self.maps.slots.info(slot);
            let totals = self.maps.slots.totals(slot, &info, now);
            if !totals.is_empty() {
                let listener = self.names.note(slot, &info, |l| self.seeds.owners(&info, l));
                listeners.push((listener.clone(), totals));
            }
        }
        Ok(listeners)
    }

    /// Recent peaks are those from now on.
    pub fn next_period(&mut self) {
        self.maps.next_period();
    }

    /// The settings of the namespaces when they were last asked for, by their inodes.
    #[must_use]
    pub fn settings(&self) -> &HashMap<u32, Sysctls> {
        &self.seeds.settings
    }

    /// How the processes that held listeners at the start have spent their time since, by their ids; of the others
    /// nothing is known, nor of any where the scheduler was not asked. To be called after the last snapshot: a
    /// kprobe is skipped while a map is read.
    #[must_use]
    pub fn scheduled(&self) -> HashMap<u32, Scheduled> {
        let Some(Ok(scheduler)) = &self.attached.scheduler else { return HashMap::new() };
        scheduler.times(monotonic_ns()).unwrap_or_default()
    }

    /// Which hooks are attached.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.attached.plan
    }
}

/// Gives back what starting took: the allocator would keep the megabytes that the kernel's types were.
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: nothing but memory that is not in use is given back.
    unsafe {
        libc::malloc_trim(0);
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
