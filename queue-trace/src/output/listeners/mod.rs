//! The listeners of this machine at one moment, as a table or as lines of JSON.

mod json;
mod text;

use std::net::IpAddr;

pub use json::write_json;
pub use text::write_text;

use crate::netlink::Listener;
use crate::source::{Census, Contents};

/// Each listener, with the namespace that it is in.
fn rows(census: &Census) -> impl Iterator<Item = (&Contents, &Listener)> {
    census
        .namespaces
        .iter()
        .flat_map(|contents| contents.listeners.iter().map(move |listener| (contents, listener)))
}

/// Name of the device a listener is bound to; its index if the device is gone.
fn device(contents: &Contents, listener: &Listener) -> Option<String> {
    let index = listener.device?;
    Some(contents.devices.get(&index).cloned().unwrap_or_else(|| index.to_string()))
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
    use std::collections::HashMap;

    use super::*;
    use crate::model::{Container, Home, Process};
    use crate::netlink::{Request, SynQueues};
    use crate::procfs::{Namespace, Owner, Owners, Sysctls};

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

    fn at_home() -> Home {
        Home {
            cgroup: "/a/path".into(),
            unit: Some("nginx.service".into()),
            container: Some(Container { runtime: "docker".into(), id: "2403ccfe".repeat(8) }),
            pod: Some("5759a1ae-36ca-48a8-b20a-b0b5c8a90fb8".into()),
        }
    }

    fn owner(pid: u32, comm: &str, home: Option<Home>) -> Owner {
        let executable = home.is_some().then(|| "/usr/sbin/nginx".into());
        Owner { process: Process { pid, comm: comm.into(), executable, home }, fd: 6 }
    }

    fn report() -> Census {
        let mut full = listener("0.0.0.0", 80, 6, 5);
        (full.drops, full.inode) = (Some(12_345), 4711);
        let mut bound = listener("fe80::1", 8080, 0, 4096);
        (bound.device, bound.drops) = (Some(2), None);
        let mut gone = listener("::", 8081, 0, 0);
        gone.device = Some(3);
        let group = vec![listener("0.0.0.0", 443, 1, 128), listener("0.0.0.0", 443, 0, 128)];
        let mut evil = namespace(4_026_532_008, Some("blue\x1b[31m"));
        evil.pid = None;
        Census {
            processes: HashMap::new(),
            namespaces: vec![
                contents(namespace(4_026_531_840, None), vec![full, bound, gone]),
                contents(evil, group),
                contents(namespace(4_026_532_009, Some("empty")), vec![]),
            ],
            owners: Owners::known(HashMap::from([(
                4711,
                vec![
                    owner(812, "nginx", Some(Home { pod: None, container: None, ..at_home() })),
                    owner(813, "ngi\nnx", None),
                    owner(814, "nginx", Some(Home { pod: None, container: None, ..at_home() })),
                    owner(815, "nginx", Some(Home { unit: None, ..at_home() })),
                ],
            )])),
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
        let empty = Census::default();
        let (mut text, mut json) = (Vec::new(), Vec::new());
        write_text(&empty, &mut text).unwrap();
        write_json(&empty, &mut json).unwrap();
        assert_eq!((text.as_slice(), json.as_slice()), (&b"no TCP listeners\n"[..], &b""[..]));
    }
}
