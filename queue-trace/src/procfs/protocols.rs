//! The protocols that the kernel has now.

use std::fs;

/// Whether there is DCCP, which shares its half-open requests and its counters with TCP, or the kernel does not tell.
#[must_use]
pub(crate) fn has_dccp() -> bool {
    fs::read_to_string("/proc/thread-self/net/protocols").map_or(true, |table| lists_dccp(&table))
}

/// One line each, which begins with the name: `DCCP` and `DCCPv6` (`proto_seq_show`).
fn lists_dccp(table: &str) -> bool {
    table.lines().any(|line| line.starts_with("DCCP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dccp_is_told_by_its_name() {
        let table = "protocol  size sockets\nTCP       2504      3\nUDP       1344      0\n";
        assert!(!lists_dccp(table));
        assert!(lists_dccp(&format!("{table}DCCPv6    1648      0\n")));
    }
}
