//! When a watch ends.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

/// What ends a watch: a time that is over, or a signal before that.
pub(super) struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// Before attaching, so that a signal from now on ends the watch with its report.
    pub(super) fn by_signals() -> io::Result<Self> {
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate? })
    }

    /// When a watch of this duration is over, which begins now; says so.
    pub(super) fn after(duration: Duration) -> Instant {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr(), "queue-trace: watching for {duration:?}; Ctrl-C ends");
        Instant::now() + duration
    }

    /// Waits until the watch is to end; can be given up and begun anew without losing a signal.
    pub(super) async fn reached(&mut self, end: Instant) {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = sleep_until(end) => {}
        }
    }
}
