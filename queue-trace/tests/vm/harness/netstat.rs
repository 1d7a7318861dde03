//! The kernel's counters of the calling thread's network namespace, and its half-open requests.
//!
//! Read anew here, not by queue-trace's own reader: a mistake in that one has to show.

use std::collections::BTreeMap;

/// Counters of the groups `Tcp` and `TcpExt`, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads them.
    pub(crate) fn read() -> Self {
        let mut counters = BTreeMap::new();
        for file in ["snmp", "netstat"] {
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
            let lines: Vec<_> = text.lines().collect();
            for pair in lines.chunks_exact(2) {
                let (group, names) = pair[0].split_once(": ").unwrap();
                let (_, values) = pair[1].split_once(": ").unwrap();
                if group != "Tcp" && group != "TcpExt" {
                    continue;
                }
                for (name, value) in names.split(' ').zip(values.split(' ')) {
                    // `MaxConn` is -1 and no counter.
                    if let Ok(value) = value.parse() {
                        counters.insert(name.to_owned(), value);
                    }
                }
            }
        }
        Self(counters)
    }

    /// Whether this kernel has such a counter.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The counter of that name.
    pub(crate) fn get(&self, name: &str) -> u64 {
        *self.0.get(name).unwrap_or_else(|| panic!("this kernel has no counter {name}"))
    }

    /// How far a counter moved since `earlier`.
    pub(crate) fn since(&self, earlier: &Self, name: &str) -> u64 {
        self.get(name) - earlier.get(name)
    }
}

/// How many half-open requests there are for a local port, as `/proc/net/tcp` and `tcp6` list them.
pub(crate) fn half_open(port: u16) -> u64 {
    let suffix = format!(":{port:04X}");
    let mut count = 0;
    for file in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        for line in text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let (local, state) = (words.nth(1).unwrap(), words.nth(1).unwrap());
            // TCP_SYN_RECV
            count += u64::from(local.ends_with(&suffix) && state == "03");
        }
    }
    count
}

/// `TCP_TIME_WAIT`, as [`in_state`] wants it.
pub(crate) const TIME_WAIT: &str = "06";

/// `TCP_FIN_WAIT1`, the same.
pub(crate) const FIN_WAIT1: &str = "04";

/// How many sockets and requests of the calling thread's namespace are in a state, in which
/// `/proc/net/tcp` and `tcp6` write two hexadecimal digits.
pub(crate) fn in_state(state: &str) -> u64 {
    let mut count = 0;
    for file in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        let states = text.lines().skip(1).map(|line| line.split_ascii_whitespace().nth(3));
        count += states.filter(|found| *found == Some(state)).count() as u64;
    }
    count
}
