//! The kernel's own counters of a network namespace (MIBs).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::about;

/// The `Tcp` and `TcpExt` counters of a namespace, by name; other groups repeat names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads the counters of the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// When `/proc/thread-self/net/netstat` or `snmp` cannot be read; the message names the file.
    pub fn read() -> io::Result<Self> {
        Self::read_from(Path::new("/proc/thread-self/net"))
    }

    /// Reads the counters of the namespace of process `pid`, without entering it. The kernel lets
    /// every user do so (`get_proc_task_net`).
    ///
    /// # Errors
    ///
    /// As [`Self::read`]; `NotFound` or `InvalidInput` when the process is gone.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        Self::read_from(&PathBuf::from(format!("/proc/{pid}/net")))
    }

    fn read_from(folder: &Path) -> io::Result<Self> {
        let mut counters = Self::default();
        for file in ["netstat", "snmp"] {
            let path = folder.join(file);
            counters.parse(&std::fs::read_to_string(&path).map_err(about(&path))?);
        }
        Ok(counters)
    }

    /// Adds what `text` holds: pairs of lines, names then values, each after `Group:`.
    ///
    /// `MaxConn`, which is -1, is left out.
    pub fn parse(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            if let Some((group, names)) = names.split_once(':')
                && matches!(group, "Tcp" | "TcpExt")
                && let Some((_, values)) = values.split_once(':')
            {
                let pairs = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
                self.0.extend(
                    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))),
                );
            }
        }
    }

    /// The value of a counter, `None` when this kernel has none of that name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// How much each counter grew since `earlier`, a reading of the same namespace.
    ///
    /// Values that are no counters (`CurrEstab`, `RtoMin` and the like) may shrink: then 0.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let growth = |(name, value): (&String, &u64)| {
            (name.clone(), value.saturating_sub(earlier.get(name).unwrap_or(0)))
        };
        Self(self.0.iter().map(growth).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETSTAT: &str = "\
TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 7 18446744073709551615 0
IpExt: InNoRoutes ListenDrops
IpExt: 0 99
";
    const SNMP: &str = "\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm MaxConn PassiveOpens InErrs
Tcp: 1 -1 42 3
Udp: InErrs
Udp: 77
";

    fn counters(texts: &[&str]) -> Counters {
        let mut counters = Counters::default();
        for text in texts {
            counters.parse(text);
        }
        counters
    }

    #[test]
    fn reads_tcp_groups_only() {
        let counters = counters(&[NETSTAT, SNMP]);
        assert_eq!(
            counters.iter().collect::<Vec<_>>(),
            [
                ("InErrs", 3),
                ("ListenDrops", 0),
                ("ListenOverflows", u64::MAX),
                ("PassiveOpens", 42),
                ("RtoAlgorithm", 1),
                ("SyncookiesSent", 7),
            ]
        );
        assert_eq!(counters.get("MaxConn"), None);
    }

    #[test]
    fn differences_never_wrap() {
        let earlier = counters(&["TcpExt: A B\nTcpExt: 5 9\n"]);
        let later = counters(&["TcpExt: A B C\nTcpExt: 8 2 4\n"]);
        assert_eq!(later.since(&earlier), counters(&["TcpExt: A B C\nTcpExt: 3 0 4\n"]));
    }

    #[test]
    fn odd_text_is_skipped() {
        for text in ["", "TcpExt: A", "TcpExt: A\nnonsense\n", "\n\n\n", "TcpExt: A\nTcpExt: x\n"] {
            assert_eq!(counters(&[text]), Counters::default(), "{text:?}");
        }
    }

    #[test]
    fn this_kernel_has_what_the_books_need() {
        let counters = Counters::read().unwrap();
        for name in ["ListenOverflows", "ListenDrops", "PassiveOpens", "SyncookiesSent"] {
            assert!(counters.get(name).is_some(), "{name}");
        }
        assert!(Counters::of_process(1).unwrap().get("ListenDrops").is_some());
    }
}
