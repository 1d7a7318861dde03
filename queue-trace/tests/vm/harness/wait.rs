//! Waiting for something to become true, never for ever.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than anything here takes on an emulated processor that others use too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition that cannot be waited for is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(INTERVAL);
    }
}
