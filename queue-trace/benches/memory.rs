//! What a thousand listeners take of this program's memory, once they are known and once times were
//! seen at each. What the kernel side takes is in the table of `cargo xtask bench`.

use std::fs;

use queue_trace::model::{Observed, QueueEvent};
use queue_trace::source::Names;
use queue_trace_common::{ListenerInfo, Outcome};

const LISTENERS: u32 = 1_000;
const TIMES: u64 = 2_000;

/// Resident memory of this process, KiB (`VmRSS`).
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn event(outcome: Outcome, duration_ns: u64) -> QueueEvent {
    QueueEvent {
        time_ns: 0,
        outcome,
        client: None,
        accept_depth: 0,
        syn_depth: 0,
        limit: 0,
        duration_ns: Some(duration_ns),
        detail: 0,
        process: None,
    }
}

/// Handshakes and waits at each listener, each as much longer than the one before.
fn observe(observed: &mut Observed, handshake_step: u64, wait_step: u64) {
    for listener in 1..=LISTENERS {
        for number in 0..TIMES {
            let handshake = event(Outcome::Established, 20_000 + number * handshake_step);
            observed.take(listener, &handshake);
            observed.take(listener, &event(Outcome::Accepted, 5_000 + number * wait_step));
        }
    }
}

fn main() {
    let empty = resident();
    let show = |what| {
        let taken = resident() - empty;
        println!("memory: {LISTENERS} listeners {what}: {taken} KiB");
    };
    let mut names = Names::default();
    for slot in 1..=LISTENERS {
        let comm = *b"nginx\0\0\0\0\0\0\0\0\0\0\0";
        let info = ListenerInfo { pid: slot, comm, ..ListenerInfo::default() };
        names.note(slot, &info, |_| Vec::new());
    }
    show("known");
    let mut observed = Observed::default();
    observe(&mut observed, 10, 10);
    show("with times around 30 µs and 15 µs");
    observe(&mut observed, 2_500, 5_000);
    show("with times from 20 µs to 5 ms and 5 µs to 10 ms");
}
