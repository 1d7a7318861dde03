//! The kernel's own counters, namespace by namespace, from the moment that counting began.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Balance, Totals};
use crate::procfs::{Counters, Namespace, own_cookie, reachable};

/// How often a baseline that moves under us is read again.
const TRIES: usize = 16;

/// A network namespace: its inode, and its cookie where cookies tell namespaces apart; else 0. The
/// inode of one that is gone is given to a later one.
pub(super) type Identity = (u64, u64);

/// What was counted in each namespace.
pub(super) type Sums = HashMap<Identity, Totals>;

/// The counters of each namespace when counting began.
#[derive(Debug, Default)]
pub(super) struct Books {
    baselines: BTreeMap<Identity, Counters>,
    /// Namespaces that were there but could not be read.
    unknown: HashSet<u64>,
    /// Whether this kernel tells us the cookies of namespaces (5.14), as it does the kernel side.
    cookies: bool,
    /// Whether every namespace was in sight: then one that turns up later is new, and its counters
    /// began at zero.
    complete: bool,
}

/// The same in a form that can be written down.
#[cfg(feature = "serve")]
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    baselines: Vec<(Identity, Counters)>,
    unknown: Vec<u64>,
    cookies: bool,
    complete: bool,
}

impl Books {
    /// Reads all namespaces' counters before and after counting begins, again while they differ:
    /// nothing may happen between the baseline and the first count. `count(false)` stops counting and
    /// forgets what was counted.
    pub(super) fn open(
        namespaces: &[Namespace],
        complete: bool,
        cookies: bool,
        mut count: impl FnMut(bool),
    ) -> Self {
        let cookies = cookies && own_cookie().is_some();
        let mut before = read(namespaces, cookies);
        for _ in 0..TRIES {
            count(true);
            if same(&before, &read(namespaces, cookies)) {
                break;
            }
            count(false);
            before = read(namespaces, cookies);
        }
        // Not in so many tries: on a machine this busy the first microseconds may be missing.
        count(true);
        let all = namespaces.iter().map(|namespace| namespace.inode);
        let known: HashSet<_> = before.keys().map(|(inode, _)| *inode).collect();
        let unknown = all.filter(|inode| !known.contains(inode)).collect();
        Self { baselines: before, unknown, cookies, complete }
    }

    /// What is to be kept for a process that goes on with them.
    #[cfg(feature = "serve")]
    pub(super) fn keep(&self) -> Kept {
        Kept {
            baselines: self.baselines.clone().into_iter().collect(),
            unknown: self.unknown.iter().copied().collect(),
            cookies: self.cookies,
            complete: self.complete,
        }
    }

    /// Goes on with what was kept.
    #[cfg(feature = "serve")]
    pub(super) fn reopen(kept: Kept) -> Self {
        Self {
            baselines: kept.baselines.into_iter().collect(),
            unknown: kept.unknown.into_iter().collect(),
            cookies: kept.cookies,
            complete: kept.complete,
        }
    }

    /// The identity of a listener's namespace.
    pub(super) const fn identity(&self, inode: u64, cookie: u64) -> Identity {
        (inode, if self.cookies { cookie } else { 0 })
    }

    /// Closes the books: our sum of each namespace beside the kernel's counters.
    pub(super) fn close(&self, sums: &Sums) -> Vec<(Identity, Balance)> {
        let nothing = Totals::default();
        let namespaces = reachable().map(|found| found.namespaces).unwrap_or_default();
        let now = read(&namespaces, self.cookies);
        let mut books = Vec::new();
        for (identity, counters) in &now {
            let moved = match self.baselines.get(identity) {
                Some(baseline) => counters.since(baseline),
                None if self.complete && !self.unknown.contains(&identity.0) => counters.clone(),
                None => continue,
            };
            let sum = sums.get(identity).unwrap_or(&nothing);
            let balance = Balance::new(identity.0 as u32, sum, |name| moved.get(name));
            books.push((*identity, balance));
        }
        let gone = sums.keys().filter(|identity| !now.contains_key(identity));
        books.extend(gone.map(|identity| (*identity, Balance::gone(identity.0 as u32))));
        books
    }
}

/// The counters of the namespaces that are still there.
fn read(namespaces: &[Namespace], cookies: bool) -> BTreeMap<Identity, Counters> {
    let one = |namespace: &Namespace| {
        let inside = || {
            let cookie = if cookies { own_cookie()? } else { 0 };
            Some((cookie, Counters::read().ok()?))
        };
        let (cookie, counters) = namespace.run(inside).ok()??;
        Some(((namespace.inode, cookie), counters))
    };
    namespaces.iter().filter_map(one).collect()
}

/// Whether no counter of the passive side moved. The others may: they are not in the books.
fn same(before: &BTreeMap<Identity, Counters>, after: &BTreeMap<Identity, Counters>) -> bool {
    let none = Totals::default();
    before.iter().all(|(identity, before)| {
        // One that vanished meanwhile is compared with nothing.
        after.get(identity).is_none_or(|after| {
            let moved = after.since(before);
            Balance::new(0, &none, |name| moved.get(name)).even()
        })
    })
}
