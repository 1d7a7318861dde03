//! The kernel's own counters, namespace by namespace, from the moment that counting began.

use std::collections::HashMap;

use crate::model::{Balance, Totals};
use crate::procfs::{Counters, Namespace};

/// How often a baseline that moves under us is read again.
const TRIES: usize = 16;

/// The counters of each namespace when counting began.
#[derive(Debug, Default)]
pub(super) struct Books {
    baselines: Vec<(Namespace, Counters)>,
}

impl Books {
    /// Reads all namespaces' counters before and after `flip`, again while they differ: nothing may
    /// happen between the baseline and the first count.
    pub(super) fn open<E>(
        namespaces: &[Namespace],
        mut flip: impl FnMut(bool) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut before = read(namespaces);
        for _ in 0..TRIES {
            flip(true)?;
            let after = read(namespaces);
            if same(&before, &after) {
                break;
            }
            flip(false)?;
            before = read(namespaces);
        }
        flip(true)?;
        Ok(Self { baselines: before })
    }

    /// Closes the books: our sum of each namespace beside the kernel's counters.
    pub(super) fn close(&self, sums: &HashMap<u32, Totals>) -> Vec<Balance> {
        let nothing = Totals::default();
        let balance = |(namespace, baseline): &(Namespace, Counters)| {
            let moved = counters(namespace)?.since(baseline);
            let netns = namespace.inode as u32;
            let sum = sums.get(&netns).unwrap_or(&nothing);
            Some(Balance::new(netns, sum, |name| moved.get(name)))
        };
        self.baselines.iter().filter_map(balance).collect()
    }
}

fn read(namespaces: &[Namespace]) -> Vec<(Namespace, Counters)> {
    let one = |namespace: &Namespace| Some((namespace.clone(), counters(namespace)?));
    namespaces.iter().filter_map(one).collect()
}

/// A namespace's counters, unless it is gone.
fn counters(namespace: &Namespace) -> Option<Counters> {
    namespace.run(Counters::read).ok()?.ok()
}

/// Whether no counter of the passive side moved. The others may: they are not in the books.
fn same(before: &[(Namespace, Counters)], after: &[(Namespace, Counters)]) -> bool {
    let none = Totals::default();
    before.len() == after.len()
        && before.iter().zip(after).all(|((namespace, before), (other, after))| {
            let moved = after.since(before);
            namespace.inode == other.inode && Balance::new(0, &none, |name| moved.get(name)).even()
        })
}
