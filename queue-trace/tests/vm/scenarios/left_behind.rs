//! What was attached is gone when queue-trace has ended: programs, links and probes. Also when it was killed.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::program;
use crate::harness::wait;

pub(super) fn run() {
    // What others have left may be on its way out still.
    let before = Found::look();
    // Probes of one that was killed are taken away by the next one.
    for (signal, name) in [(Signal::KILL, "doctor"), (Signal::INT, "trace")] {
        let mut command = program::queue_trace();
        command.args([name, "--duration", "5m"]).args(program::attach_arguments());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let called = Instant::now();
        wait::until("programs in the kernel", || Found::look().programs > before.programs + 20);
        // It has begun to attach; signals are taken from before that on.
        std::thread::sleep(called.elapsed().max(Duration::from_secs(1)));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.success(), signal == Signal::INT, "{status}");
        // The kernel takes programs away some time after their last user has gone.
        wait::until(&format!("no more than {before:?} after {signal:?}"), || {
            let now = Found::look();
            let less = now.programs <= before.programs && now.links <= before.links;
            let events = signal == Signal::KILL || now.events == before.events;
            less && now.maps <= before.maps && events
        });
    }
}

/// What of ours can be in the kernel.
#[derive(Debug)]
struct Found {
    programs: usize,
    links: usize,
    maps: usize,
    /// Kprobes that stand in tracefs.
    events: String,
}

impl Found {
    fn look() -> Self {
        Self {
            programs: aya::programs::loaded_programs().count(),
            links: aya::programs::loaded_links().count(),
            maps: aya::maps::loaded_maps().count(),
            events: fs::read_to_string("/sys/kernel/tracing/kprobe_events").unwrap_or_default(),
        }
    }
}
