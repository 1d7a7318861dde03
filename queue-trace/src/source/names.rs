//! Which listener has which slot.

use queue_trace_common::ListenerInfo;

use crate::model::{Listener, Process};

/// The listeners that have been met, by slot.
#[derive(Debug, Default)]
pub struct Names {
    /// By number of the slot, which is small: it costs no hashing with each record.
    known: Vec<Option<Known>>,
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
            None => {
                self.last_id += 1;
                self.last_id
            }
        };
        let mut listener = Listener::from_info(id, info);
        match former {
            Some(known) => listener.owners = known.listener.owners,
            None if listener.owners.is_empty() => listener.owners = owners(&listener),
            None => {}
        }
        &self.known[index].insert(Known { opened_ns: info.opened_ns, listener }).listener
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
        let owner = || vec![Process { pid: 1, comm: "init".to_owned() }];
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
}
