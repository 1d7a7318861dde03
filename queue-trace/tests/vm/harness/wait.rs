//! Waiting for something to become true, never for ever.

use std::panic::Location;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything here takes on an emulated processor that others use too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than a retransmission timer that was doubled again and again.
const TIMERS: Duration = Duration::from_secs(200);

/// How often a condition that cannot be waited for is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// A guest that stood still finds all timers ended at once, also those of what is waited for: that comes in a moment.
const REPRIEVE: Duration = Duration::from_secs(1);

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    within(PATIENCE, what, condition);
}

/// The same where the kernel's own timers have to end first: nothing shortens one that runs.
#[track_caller]
pub(crate) fn until_at_rest(what: &str, condition: impl FnMut() -> bool) {
    within(TIMERS, what, condition);
}

#[track_caller]
fn within(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if condition() {
            return;
        }
        sleep(INTERVAL);
    }
    sleep(REPRIEVE);
    assert!(condition(), "waited in vain for {what}, at {}", Location::caller());
}
