//! How many guests run at a time.

use std::sync::{Condvar, Mutex, PoisonError};

/// The processors of guests that may run.
pub(super) struct Processors {
    free: Mutex<u8>,
    freed: Condvar,
}

impl Processors {
    pub(super) fn new(all: u8) -> Self {
        Self { free: Mutex::new(all), freed: Condvar::new() }
    }

    /// Takes so many of them once they are free, until what is given back is dropped.
    pub(super) fn take(&self, wanted: u8) -> Taken<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = self.freed.wait_while(free, |free| *free < wanted);
        *enough.unwrap_or_else(PoisonError::into_inner) -= wanted;
        Taken { processors: self, number: wanted }
    }
}

/// Processors that are given back when it is dropped.
pub(super) struct Taken<'a> {
    processors: &'a Processors,
    number: u8,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.processors.free.lock().unwrap_or_else(PoisonError::into_inner) += self.number;
        self.processors.freed.notify_all();
    }
}
