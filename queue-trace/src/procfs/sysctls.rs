//! The settings of a network namespace that decide over its listeners.

use std::collections::HashMap;
use std::path::Path;

/// Settings of one network namespace; `None` where the kernel has no such setting or hides it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "listeners", derive(serde::Serialize))]
pub struct Sysctls {
    /// `net.core.somaxconn`: the most that `listen()` grants, looked at when it is called.
    pub somaxconn: Option<i64>,
    /// `net.ipv4.tcp_max_syn_backlog`: bounds half-open requests while cookies are off.
    pub tcp_max_syn_backlog: Option<i64>,
    /// `net.ipv4.tcp_syncookies`: 0 never, 1 when the SYN queue is full, 2 always.
    pub tcp_syncookies: Option<i64>,
    /// `net.ipv4.tcp_abort_on_overflow`: 1 answers a refused final ACK with RST.
    pub tcp_abort_on_overflow: Option<i64>,
    /// `net.ipv4.tcp_synack_retries`: SYN-ACKs sent again before a request expires.
    pub tcp_synack_retries: Option<i64>,
    /// `net.ipv4.tcp_fastopen`: bit mask, 2 for servers.
    pub tcp_fastopen: Option<i64>,
    /// `net.ipv4.tcp_migrate_req` (since 5.14): requests of a closed `SO_REUSEPORT` member move on.
    pub tcp_migrate_req: Option<i64>,
}

impl Sysctls {
    /// Reads the settings of the calling thread's network namespace: `/proc/sys/net` shows the
    /// namespace of the thread that opens it (`net_ctl_header_lookup` takes `current`).
    pub fn read() -> Self {
        Self::read_from(Path::new("/proc/sys/net"))
    }

    fn read_from(folder: &Path) -> Self {
        Self::by(|name| std::fs::read_to_string(folder.join(name)).ok()?.trim_ascii().parse().ok())
    }

    /// Those that are known already, by their names as [`Self::entries`] has them.
    #[must_use]
    pub fn known(values: &HashMap<String, i64>) -> Self {
        Self::by(|name| values.get(name.rsplit('/').next()?).copied())
    }

    fn by(value: impl Fn(&str) -> Option<i64>) -> Self {
        Self {
            somaxconn: value("core/somaxconn"),
            tcp_max_syn_backlog: value("ipv4/tcp_max_syn_backlog"),
            tcp_syncookies: value("ipv4/tcp_syncookies"),
            tcp_abort_on_overflow: value("ipv4/tcp_abort_on_overflow"),
            tcp_synack_retries: value("ipv4/tcp_synack_retries"),
            tcp_fastopen: value("ipv4/tcp_fastopen"),
            tcp_migrate_req: value("ipv4/tcp_migrate_req"),
        }
    }

    /// Names and values in a fixed order, the names as `sysctl` has them without their prefix.
    pub fn entries(&self) -> [(&'static str, Option<i64>); 7] {
        [
            ("somaxconn", self.somaxconn),
            ("tcp_max_syn_backlog", self.tcp_max_syn_backlog),
            ("tcp_syncookies", self.tcp_syncookies),
            ("tcp_abort_on_overflow", self.tcp_abort_on_overflow),
            ("tcp_synack_retries", self.tcp_synack_retries),
            ("tcp_fastopen", self.tcp_fastopen),
            ("tcp_migrate_req", self.tcp_migrate_req),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_the_old_settings() {
        let sysctls = Sysctls::read();
        for (name, value) in &sysctls.entries()[..6] {
            assert!(value.is_some(), "{name}");
        }
    }

    #[test]
    fn a_hidden_proc_sys_is_no_error() {
        assert_eq!(Sysctls::read_from(Path::new("/nowhere")), Sysctls::default());
    }
}
