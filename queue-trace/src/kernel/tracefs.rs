//! Kprobes that stand in tracefs.
//!
//! There aya puts them on a kernel whose release, such as `7.3-cloud-amd64`, it cannot read, and cannot take them
//! away again while the program is attached: nobody uses them any more, but each run would leave some behind.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Where tracefs may be.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// What aya's events are called: `aya_PID_…`.
const PREFIX: &str = "aya_";

/// Takes the probes of this process away when it is dropped: declare it behind what uses them.
#[derive(Debug)]
pub(super) struct Leftovers;

impl Leftovers {
    /// Takes away those of processes that were killed.
    pub(super) fn of_the_dead() -> Self {
        remove(|pid| !Path::new("/proc").join(pid).exists());
        Self
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let own = std::process::id().to_string();
        remove(|pid| pid == own);
    }
}

/// The text of a file of tracefs.
pub(super) fn read(name: &str) -> Option<String> {
    TRACEFS.iter().find_map(|folder| fs::read_to_string(format!("{folder}/{name}")).ok())
}

/// The prefix of this process's events.
pub(super) fn own_prefix() -> String {
    format!("{PREFIX}{}_", std::process::id())
}

/// Removes the events of processes that are chosen by their number. The kernel keeps those that are in use.
fn remove(chosen: impl Fn(&str) -> bool) {
    let Some(events) = read("kprobe_events") else { return };
    for name in events.lines().filter_map(name) {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
        if pid.is_some_and(&chosen) {
            // What cannot be removed does no harm.
            let file = TRACEFS.iter().find_map(|folder| {
                OpenOptions::new().append(true).open(format!("{folder}/kprobe_events")).ok()
            });
            let _ = file.map(|mut file| file.write_all(format!("-:kprobes/{name}\n").as_bytes()));
        }
    }
}

/// The name in a line like `p:kprobes/aya_97_p_tcp_check_req_0x0_1 tcp_check_req`.
fn name(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(":kprobes/")?;
    rest.split_ascii_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn events_have_a_name() {
        let line = "r10:kprobes/aya_99_r_tcp_syn_flood_action_0x0_0 tcp_syn_flood_action";
        assert_eq!(name(line), Some("aya_99_r_tcp_syn_flood_action_0x0_0"));
        assert_eq!(name("p:other/thing do_exit"), None);
    }
}
