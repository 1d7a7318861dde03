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
    while !condition() {
        let in_time = Instant::now() < deadline;
        assert!(in_time, "waited in vain for {what}, at {}", Location::caller());
        sleep(INTERVAL);
    }
}
