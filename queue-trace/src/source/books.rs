//! The kernel's own counters, namespace by namespace, from the moment that counting began.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Balance, Totals};
use crate::procfs::{Counters, Namespace, reachable};

/// How often a baseline that moves under us is read again.
const TRIES: usize = 16;

/// The counters of each namespace when counting began.
#[derive(Debug, Default)]
pub(super) struct Books {
    baselines: BTreeMap<u64, Counters>,
    /// Namespaces that were there but could not be read.
    unknown: HashSet<u64>,
    /// Whether every namespace was in sight: then one that turns up later is new, and its counters
    /// began at zero.
    complete: bool,
}

impl Books {
    /// Reads all namespaces' counters before and after counting begins, again while they differ:
    /// nothing may happen between the baseline and the first count. `count(false)` stops counting and
    /// forgets what was counted.
    pub(super) fn open<E>(
        namespaces: &[Namespace],
        complete: bool,
        mut count: impl FnMut(bool) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut before = read(namespaces);
        for _ in 0..TRIES {
            count(true)?;
            if same(&before, &read(namespaces)) {
                break;
            }
            count(false)?;
            before = read(namespaces);
        }
        // Not in so many tries: on a machine this busy the first microseconds may be missing.
        count(true)?;
        let all = namespaces.iter().map(|namespace| namespace.inode);
        let unknown = all.filter(|inode| !before.contains_key(inode)).collect();
        Ok(Self { baselines: before, unknown, complete })
    }

    /// Closes the books: our sum of each namespace beside the kernel's counters.
    pub(super) fn close(&self, sums: &HashMap<u32, Totals>) -> Vec<Balance> {
        let nothing = Totals::default();
        let namespaces = reachable().map(|found| found.namespaces).unwrap_or_default();
        let now = read(&namespaces);
        let mut books = Vec::new();
        for (inode, counters) in &now {
            let moved = match self.baselines.get(inode) {
                Some(baseline) => counters.since(baseline),
                None if self.complete && !self.unknown.contains(inode) => counters.clone(),
                None => continue,
            };
            let netns = *inode as u32;
            let sum = sums.get(&netns).unwrap_or(&nothing);
            books.push(Balance::new(netns, sum, |name| moved.get(name)));
        }
        let gone = sums.keys().filter(|netns| !now.contains_key(&u64::from(**netns)));
        books.extend(gone.map(|netns| Balance::gone(*netns)));
        books
    }
}

/// The counters of the namespaces that are still there.
fn read(namespaces: &[Namespace]) -> BTreeMap<u64, Counters> {
    let one =
        |namespace: &Namespace| Some((namespace.inode, namespace.run(Counters::read).ok()?.ok()?));
    namespaces.iter().filter_map(one).collect()
}

/// Whether no counter of the passive side moved. The others may: they are not in the books.
fn same(before: &BTreeMap<u64, Counters>, after: &BTreeMap<u64, Counters>) -> bool {
    let none = Totals::default();
    before.iter().all(|(inode, before)| {
        // One that vanished meanwhile is compared with nothing.
        after.get(inode).is_none_or(|after| {
            let moved = after.since(before);
            Balance::new(0, &none, |name| moved.get(name)).even()
        })
    })
}
