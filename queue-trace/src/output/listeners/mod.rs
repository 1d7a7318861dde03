//! The listeners of this machine at one moment, as a table or as lines of JSON.

mod json;
mod text;

use std::collections::HashMap;
use std::net::IpAddr;

pub use json::write_json;
pub use text::write_text;

use crate::netlink::{Listener, SynQueues};
use crate::procfs::{Namespace, Owners, Sysctls};

/// What was found in one network namespace.
#[derive(Debug)]
pub struct Contents {
    /// The namespace.
    pub namespace: Namespace,
    /// Whether it is the one this program runs in.
    pub own: bool,
    /// The listeners to show.
    pub listeners: Vec<Listener>,
    /// Their half-open requests.
    pub syn_queues: SynQueues,
    /// Names of the devices that listeners are bound to, by index.
    pub devices: HashMap<u32, String>,
    /// Its settings.
    pub sysctls: Sysctls,
}

/// Everything to show.
#[derive(Debug, Default)]
pub struct Report {
    /// Namespaces in the order to show them.
    pub namespaces: Vec<Contents>,
    /// Owners of all listeners.
    pub owners: Owners,
}

impl Report {
    /// Whether there is no listener to show.
    pub fn is_empty(&self) -> bool {
        self.namespaces.iter().all(|contents| contents.listeners.is_empty())
    }

    fn rows(&self) -> impl Iterator<Item = (&Contents, &Listener)> {
        self.namespaces.iter().flat_map(|contents| {
            contents.listeners.iter().map(move |listener| (contents, listener))
        })
    }
}

impl Contents {
    /// Name of the device a listener is bound to; its index if the device is gone.
    fn device(&self, listener: &Listener) -> Option<String> {
        let index = listener.device?;
        Some(self.devices.get(&index).cloned().unwrap_or_else(|| index.to_string()))
    }
}

/// An address as one writes it before a port: IPv6 in brackets.
fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Request;

    fn listener(address: &str, port: u16, depth: u32, limit: u32) -> Listener {
        let address: IpAddr = address.parse().unwrap();
        Listener {
            address,
            port,
            device: None,
            v6only: address.is_ipv6().then_some(false),
            depth,
            limit,
            inode: 0,
            uid: 33,
            cookie: u64::from(port),
            drops: Some(0),
            cgroup_id: Some(1),
        }
    }

    fn namespace(inode: u64, name: Option<&str>) -> Namespace {
        let mut namespace = Namespace::own().unwrap();
        (namespace.inode, namespace.name) = (inode, name.map(Into::into));
        namespace
    }

    fn contents(namespace: Namespace, listeners: Vec<Listener>) -> Contents {
        let requests = [("192.0.2.1", 80), ("192.0.2.1", 80), ("192.0.2.1", 443), ("::1", 9)]
            .map(|(address, port)| Request { address: address.parse().unwrap(), port, device: 0 });
        Contents {
            own: namespace.name.is_none(),
            namespace,
            syn_queues: SynQueues::attribute(&listeners, requests),
            listeners,
            devices: HashMap::from([(2, "eth0".into())]),
            sysctls: Sysctls {
                somaxconn: Some(4096),
                tcp_max_syn_backlog: Some(512),
                tcp_syncookies: Some(1),
                tcp_abort_on_overflow: Some(0),
                tcp_synack_retries: Some(5),
                tcp_fastopen: Some(1),
                tcp_migrate_req: None,
            },
        }
    }

    fn report() -> Report {
        let mut full = listener("0.0.0.0", 80, 6, 5);
        (full.drops, full.inode) = (Some(12_345), 4711);
        let mut bound = listener("fe80::1", 8080, 0, 4096);
        (bound.device, bound.drops) = (Some(2), None);
        let mut gone = listener("::", 8081, 0, 0);
        gone.device = Some(3);
        let group = vec![listener("0.0.0.0", 443, 1, 128), listener("0.0.0.0", 443, 0, 128)];
        let mut evil = namespace(4_026_532_008, Some("blue\x1b[31m"));
        evil.pid = None;
        Report {
            namespaces: vec![
                contents(namespace(4_026_531_840, None), vec![full, bound, gone]),
                contents(evil, group),
                contents(namespace(4_026_532_009, Some("empty")), vec![]),
            ],
            owners: Owners::of_test(
                4711,
                &[(812, "nginx", 6), (813, "ngi\nnx", 6), (814, "nginx", 6)],
            ),
        }
    }

    /// Compares with a golden file; `BLESS=1` writes it anew.
    fn golden(name: &str, actual: &[u8]) {
        let path = format!("{}/tests/listeners/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, actual).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(actual), expected, "{path}: BLESS=1 writes it anew");
    }

    #[test]
    fn the_table_is_as_in_the_golden_file() {
        let mut out = Vec::new();
        write_text(&report(), &mut out).unwrap();
        golden("table.txt", &out);
    }

    #[test]
    fn the_json_is_as_in_the_golden_file() {
        let mut out = Vec::new();
        write_json(&report(), &mut out).unwrap();
        golden("lines.jsonl", &out);
    }

    #[test]
    fn nothing_to_show_is_said_in_text_and_silent_in_json() {
        let empty = Report::default();
        let (mut text, mut json) = (Vec::new(), Vec::new());
        write_text(&empty, &mut text).unwrap();
        write_json(&empty, &mut json).unwrap();
        assert_eq!((text.as_slice(), json.as_slice()), (&b"no TCP listeners\n"[..], &b""[..]));
    }
}
