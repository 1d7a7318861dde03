use std::collections::{BTreeSet, HashMap};

use queue_trace_common::Tally;

use super::*;
use crate::model::{Container, Home, Process, ProgramCost, Services, Snapshot, Worker};
use crate::output::metrics::Own;
use crate::output::{golden, sample};
use crate::procfs::Sysctls;

/// The sample with all that it lacks: an IPv6 listener on a device with a home and an odd name, a service
/// beyond the bound, and what programs cost.
fn snapshot() -> Snapshot {
    let mut snapshot = sample::snapshot();
    snapshot.tier = "fentry";
    snapshot.listeners[0].1.recent_accept_peak = 6;
    let (mut sixth, mut totals) = snapshot.listeners[0].clone();
    (sixth.id, sixth.address, sixth.device) = (3, "2001:db8::1".parse().unwrap(), Some(2));
    totals.waits.buckets[0] = 1;
    totals.waits.buckets[31] = 1;
    totals.waits.sum_ns = 2_200_000_000_500;
    totals.drops = Some(9);
    totals.tallies[Tally::FastopenQueueFull as usize] = 4;
    sixth.owners = vec![Process {
        pid: 7,
        comm: "a \"b\\c\"\nd".into(),
        executable: Some("/usr/sbin/nginx".into()),
        home: Some(Home {
            cgroup: "/system.slice/nginx.service".into(),
            unit: Some("nginx.service".into()),
            container: Some(Container { runtime: "docker".into(), id: "0123456789ab".into() }),
            pod: Some("6d4d2f7e-8a55-4b5c-9a53-1d2c3b4a5e6f".into()),
        }),
    }];
    let mut beyond = sixth.clone();
    (beyond.id, beyond.port) = (4, 8081);
    let mut few = snapshot.listeners[1].1;
    few.waiting = 1;
    snapshot.listeners.extend([(sixth, totals), (beyond, few)]);
    let worker = |pid, accepts| Worker { listener: 1, pid, comm: "nginx".into(), accepts };
    snapshot.workers = vec![worker(42, 30), worker(43, 10)];
    snapshot.programs =
        vec![ProgramCost { program: "tcp_conn_request".into(), run_ns: 1_500_000, runs: 3_000 }];
    snapshot
}

fn page(format: Format, snapshot: &Snapshot) -> String {
    let mut services = Services::new(2);
    services.fold(snapshot);
    let times =
        ["2026-11-21T09:00:00Z", "2026-11-21T09:00:12.5Z"].map(|time| time.parse().unwrap());
    let own = Own { cpu_seconds: 1.25, resident_bytes: 20_480_000, refused_connections: 0 };
    let losses = ["accept errors are not seen".into()];
    let somaxconn = Sysctls { somaxconn: Some(1024), ..Sysctls::default() };
    let settings = HashMap::from([(4_026_531_840, somaxconn)]);
    write(format, &View::new(snapshot, &services, times.into(), &losses, &settings, own))
}

#[test]
fn both_formats_look_as_agreed() {
    golden::check("metrics/text.txt", page(Format::Text, &snapshot()).as_bytes());
    golden::check("metrics/openmetrics.txt", page(Format::OpenMetrics, &snapshot()).as_bytes());
}

#[test]
fn nothing_known_is_a_valid_page() {
    let page = page(Format::Text, &Snapshot::default());
    assert!(page.contains("queuetrace_services 0\n"), "{page}");
    let mut points = page.lines().filter(|line| !line.starts_with('#'));
    assert!(!points.any(|line| line.contains("address=")), "{page}");
}

/// The documentation is written from the table, and cannot leave a name out.
#[test]
fn every_metric_is_in_the_documentation() {
    let mut table =
        String::from("| metric | kind | labels beside the place | meaning |\n|---|---|---|---|\n");
    for metric in metrics::all() {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let (name, labels, help) = (series(metric), labels.join(", "), metric.help);
        table += &format!("| `{name}` | {kind} | {labels} | {help} |\n");
    }
    golden::check("../fleet/metrics.md", table.as_bytes());
}

#[test]
fn names_and_labels_follow_the_rules() {
    let mut names = BTreeSet::new();
    for metric in metrics::all() {
        assert!(names.insert(metric.name), "{} stands twice", metric.name);
        assert!(metric.unit.is_empty() || metric.name.ends_with(&format!("_{}", metric.unit)));
        assert!(!metric.name.ends_with("_total") && !metric.name.ends_with("_info"));
        assert!(metric.help.ends_with('.'), "{}", metric.help);
    }
    // Every label that is written is declared, and none names a client.
    let text = page(Format::Text, &snapshot());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let written = line.split(['{', ' ']).next().unwrap();
        let metric = metrics::all()
            .find(|metric| {
                let name = series(metric);
                let ends = ["", "_bucket", "_sum", "_count"];
                ends.iter().any(|end| format!("{name}{end}") == written)
            })
            .unwrap_or_else(|| panic!("{line}"));
        let known = ["netns", "address", "port", "device", "le"];
        for label in line.match_indices("=\"").map(|(at, _)| {
            let before = &line[..at];
            &before[before.rfind(['{', ',']).map_or(0, |at| at + 1)..]
        }) {
            assert!(known.contains(&label) || metric.labels.contains(&label), "{label} in {line}");
        }
    }
}

#[test]
fn buckets_add_up_to_all() {
    let text = page(Format::Text, &snapshot());
    let value = |start: &str| -> f64 {
        let line =
            text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let place = "netns=\"4026531840\",address=\"127.0.0.1\",port=\"8080\"";
    let bucket =
        |le: &str| value(&format!("queuetrace_handshake_seconds_bucket{{{place},le=\"{le}\"}}"));
    // 90 below 256 µs and 10 below 4.096 ms.
    assert_eq!([bucket("0.000064"), bucket("0.000256")], [0.0, 90.0]);
    assert_eq!([bucket("0.002048"), bucket("0.004096"), bucket("+Inf")], [90.0, 100.0, 100.0]);
    assert_eq!(value(&format!("queuetrace_handshake_seconds_count{{{place}}}")), 100.0);
}
