//! Which listener has which slot.

use std::collections::HashMap;

use queue_trace_common::ListenerInfo;

use crate::model::{Listener, Process};

/// The listeners that have been met, by slot.
#[derive(Debug, Default)]
pub struct Names {
    /// By number of the slot, which is small: it costs no hashing with each record.
    known: Vec<Option<Known>>,
    /// Numbers of listeners that have no slot because nothing has happened there, by cookie.
    silent: HashMap<u64, u32>,
    last_id: u32,
}

#[derive(Debug)]
struct Known {
    opened_ns: u64,
    listener: Listener,
}

impl Names {
    /// The listener of a slot, if it has been met.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&Listener> {
        self.known.get(slot as usize)?.as_ref().map(|known| &known.listener)
    }

    /// Notes what a slot says now; its listener keeps its number and its owners while it is the same
    /// one. `owners` are asked for where the slot tells none.
    pub fn note(
        &mut self,
        slot: u32,
        info: &ListenerInfo,
        owners: impl FnOnce(&Listener) -> Vec<Process>,
    ) -> &Listener {
        let index = slot as usize;
        if index >= self.known.len() {
            self.known.resize_with(index + 1, || None);
        }
        let former = self.known[index].take().filter(|known| known.opened_ns == info.opened_ns);
        let id = match &former {
            Some(known) => known.listener.id,
            None if slot == 0 => 0,
            None => self.silent.remove(&info.cookie).unwrap_or_else(|| self.next_id()),
        };
        let mut listener = Listener::from_info(id, info);
        match former {
            Some(known) => listener.owners = known.listener.owners,
            None if listener.owners.is_empty() => listener.owners = owners(&listener),
            None => {}
        }
        &self.known[index].insert(Known { opened_ns: info.opened_ns, listener }).listener
    }

    /// Notes what the slot of a listener that has been met says now, and who holds it; nobody means that it
    /// could not be seen.
    pub(super) fn refresh(
        &mut self,
        slot: u32,
        info: &ListenerInfo,
        owners: impl FnOnce(&Listener) -> Vec<Process>,
    ) {
        if self.get(slot).is_none() {
            return;
        }
        let owners = owners(self.note(slot, info, |_| Vec::new()));
        let known = self.known.get_mut(slot as usize).and_then(Option::as_mut);
        if let Some(known) = known.filter(|_| !owners.is_empty()) {
            known.listener.owners = owners;
        }
    }

    /// The number of a listener that has no slot; it keeps it when it gets one.
    pub(super) fn silent(&mut self, cookie: u64) -> u32 {
        if let Some(id) = self.silent.get(&cookie) {
            return *id;
        }
        let id = self.next_id();
        self.silent.insert(cookie, id);
        id
    }

    /// Forgets the listeners without a slot that are not there any more.
    pub(super) fn forget_silent(&mut self, is_there: impl Fn(u64) -> bool) {
        self.silent.retain(|cookie, _| is_there(*cookie));
    }

    /// The last number that was given.
    #[cfg(feature = "serve")]
    pub(super) fn last_id(&self) -> u32 {
        self.last_id
    }

    /// Numbers up to this one are given.
    #[cfg(feature = "serve")]
    pub(super) fn begin_after(&mut self, last: u32) {
        self.last_id = last;
    }

    fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    /// Forgets a slot that is given back.
    pub fn forget(&mut self, slot: u32) {
        if let Some(known) = self.known.get_mut(slot as usize) {
            *known = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(opened_ns: u64) -> ListenerInfo {
        ListenerInfo { opened_ns, ..ListenerInfo::default() }
    }

    #[test]
    fn a_listener_keeps_its_number_and_the_next_one_gets_another() {
        let mut names = Names::default();
        let owner = || vec![Process { pid: 1, comm: "init".to_owned(), ..Process::default() }];
        assert_eq!(names.note(7, &opened(1), |_| owner()).id, 1);
        let again = names.note(7, &opened(1), |_| Vec::new()).clone();
        assert_eq!((again.id, again.owners), (1, owner()));
        assert_eq!(names.note(7, &opened(2), |_| Vec::new()).id, 2);
        assert_eq!(names.get(7).map(|listener| listener.id), Some(2));
        assert_eq!(names.note(0, &opened(0), |_| Vec::new()).id, 0);
        names.forget(7);
        assert_eq!(names.get(7), None);
        assert_eq!(names.get(1000), None);
    }

    #[test]
    fn a_silent_listener_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!((names.silent(77), names.silent(78), names.silent(77)), (1, 2, 1));
        assert_eq!(names.note(7, &opened(1), |_| Vec::new()).id, 3);
        let heard = ListenerInfo { cookie: 78, ..opened(2) };
        assert_eq!(names.note(8, &heard, |_| Vec::new()).id, 2);
        names.forget_silent(|cookie| cookie != 77);
        assert_eq!(names.silent(77), 4);
    }

    #[test]
    fn owners_change_when_others_are_seen() {
        let owner = |pid| vec![Process { pid, ..Process::default() }];
        let pids = |names: &Names| names.get(7).unwrap().owners.iter().map(|o| o.pid).collect();
        let mut names = Names::default();
        let opener = ListenerInfo { pid: 1, ..opened(1) };
        names.refresh(7, &opener, |_| owner(2));
        assert_eq!(names.get(7), None);
        names.note(7, &opener, |_| Vec::new());
        for (seen, known) in [(Vec::new(), vec![1]), (owner(2), vec![2]), (Vec::new(), vec![2])] {
            names.refresh(7, &opener, |_| seen);
            let pids: Vec<_> = pids(&names);
            assert_eq!(pids, known);
        }
    }
}
