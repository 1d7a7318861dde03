//! Work on several things at once, of which each is taken up in turn.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

/// Does `work` on each item, `threads` of them at once, and `then` with what comes of each in the order of the items, on
/// the caller's thread and as soon as it can.
///
/// # Errors
///
/// The first in the order of the items. Nothing is begun after one, and what comes after it is not taken up.
pub(super) fn run<I: Send, D: Send, E: Send>(
    items: Vec<I>,
    threads: usize,
    work: impl Fn(I) -> Result<D, E> + Sync,
    mut then: impl FnMut(D) -> Result<(), E>,
) -> Result<(), E> {
    let waiting = Mutex::new(items.into_iter().enumerate());
    let failed = AtomicBool::new(false);
    let next = || {
        let going_on = !failed.load(Ordering::Relaxed);
        let (number, item) = going_on.then(|| waiting.lock().ok()?.next())??;
        let done = work(item);
        failed.fetch_or(done.is_err(), Ordering::Relaxed);
        Some((number, done))
    };
    let next = &next;
    thread::scope(|scope| {
        let (give, given) = mpsc::channel();
        for _ in 1..threads {
            let give = give.clone();
            scope.spawn(move || std::iter::from_fn(next).try_for_each(|one| give.send(one).ok()));
        }
        drop(give);
        let (mut early, mut due) = (BTreeMap::new(), 0);
        let mut take_up = |(number, done): (usize, Result<D, E>)| {
            early.insert(number, done);
            while let Some(done) = early.remove(&due) {
                due += 1;
                done.and_then(&mut then).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            }
            Ok(())
        };
        while let Some(own) = next() {
            take_up(own)?;
            given.try_iter().try_for_each(&mut take_up)?;
        }
        given.iter().try_for_each(take_up)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn all_are_taken_up_in_turn() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let work = |item: u32| Ok::<_, ()>(2 * item);
            let then = |done| {
                taken.push(done);
                Ok(())
            };
            run((0..100).collect(), threads, work, then).unwrap();
            assert_eq!(taken, (0..200).step_by(2).collect::<Vec<_>>(), "{threads} threads");
        }
    }

    #[test]
    fn several_are_worked_on_at_once() {
        let meeting = Barrier::new(3);
        let work = |_| Ok::<_, ()>(meeting.wait());
        run(vec![(); 3], 3, work, |_| Ok(())).unwrap();
    }

    #[test]
    fn the_first_error_ends_it() {
        for threads in [1, 2, 5] {
            let (begun, mut taken) = (AtomicUsize::new(0), 0);
            let work = |item: usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                if item >= 10 { Err(item) } else { Ok(item) }
            };
            let then = |_| {
                taken += 1;
                Ok(())
            };
            assert_eq!(run((0..1000).collect(), threads, work, then), Err(10));
            assert_eq!(taken, 10);
            let begun = begun.into_inner();
            assert!((11..=10 + threads).contains(&begun), "{begun} begun by {threads} threads");
        }
    }

    #[test]
    fn an_error_of_what_comes_after_ends_it_too() {
        let then = |item| if item == 3 { Err(item) } else { Ok(()) };
        assert_eq!(run((0..1000).collect(), 2, Ok, then), Err(3));
    }
}
