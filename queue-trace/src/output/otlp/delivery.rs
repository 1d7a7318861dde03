//! What became of what was to be sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts of data points, or of log records. Whoever shows them reads them while they grow.
#[derive(Debug, Default)]
pub struct Delivery {
    sent: AtomicU64,
    overflowed: AtomicU64,
    rejected: AtomicU64,
    retries: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Taken by the receiver.
    pub sent: u64,
    /// Lost, because the receiver took nothing for so long that there was no room left.
    pub overflowed: u64,
    /// Lost, because the receiver did not want them.
    pub rejected: u64,
    /// How often something was sent again (not how many).
    pub retries: u64,
}

impl Delivery {
    /// The counts now.
    #[must_use]
    pub fn now(&self) -> Delivered {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Delivered {
            sent: read(&self.sent),
            overflowed: read(&self.overflowed),
            rejected: read(&self.rejected),
            retries: read(&self.retries),
        }
    }

    /// Why something was last not taken; nothing once the receiver takes all again.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why something was not taken, or that all was.
    pub(super) fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The receiver took so many.
    pub(super) fn sent(&self, items: u64) {
        self.sent.fetch_add(items, Ordering::Relaxed);
    }

    /// For so many there was no room.
    pub(super) fn overflowed(&self, items: u64) {
        self.overflowed.fetch_add(items, Ordering::Relaxed);
    }

    /// The receiver did not want so many.
    pub(super) fn rejected(&self, items: u64) {
        self.rejected.fetch_add(items, Ordering::Relaxed);
    }

    /// Something is sent again.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}
