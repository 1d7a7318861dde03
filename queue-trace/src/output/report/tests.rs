//! Of the page as a whole.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use queue_trace_common::{Outcome, bucket};

use super::{Facts, page};
use crate::diagnose::{Diagnosis, Rule, Severity, Verdict};
use crate::model::{
    Balance, Listener, Means, Observed, Process, QueueEvent, Snapshot, Totals, Trails, Victims,
};
use crate::netlink::SynQueues;
use crate::output::{golden, sample};
use crate::procfs::{Namespace, Sysctls};
use crate::recording::Header;
use crate::source::{Census, Contents};
use crate::whatif::Courses;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
/// The limit of the listener.
const LIMIT: usize = 16;

/// A made-up incident: clients come at once, more than fit, at a server that takes its time.
struct Incident {
    header: Header,
    snapshot: Snapshot,
    census: Census,
    verdicts: Vec<Diagnosis>,
    observed: Observed,
    trails: Trails,
    victims: Victims,
    courses: Courses,
    /// Where the queue is filled from, and when each came.
    queue: VecDeque<(SocketAddr, u64)>,
}

impl Incident {
    fn new() -> Self {
        let header = Header {
            program: "0.1.0".to_owned(),
            host: "web-1".to_owned(),
            kernel: "6.12.0".to_owned(),
            start_ns: SECOND,
            wall: "2026-11-21T09:00:00Z".parse().unwrap(),
            part: 0,
            hooks: 21,
            means: Means {
                tier: "fentry".to_owned(),
                listeners: 2,
                losses: vec!["accept() that returns an error".to_owned()],
                uncounted: vec!["TCPMigrateReqFailure".to_owned()],
                notes: vec!["namespace 7: hidden".to_owned()],
                ..Means::default()
            },
            ports: Vec::new(),
            events: Vec::new(),
        };
        let listener = Listener { limit: LIMIT as u32, ..sample::listener() };
        let calm = Listener { id: 2, port: 22, owners: Vec::new(), ..listener.clone() };
        let settings = Sysctls { somaxconn: Some(16), ..Sysctls::default() };
        let healthy = Verdict {
            rule: Rule::Healthy,
            severity: Severity::Fine,
            story: "nothing is wrong".to_owned(),
            evidence: Vec::new(),
            change: Vec::new(),
            avoid: "",
        };
        let late = Verdict {
            rule: Rule::SlowTimers,
            severity: Severity::Warning,
            story: "12 connections came in late".to_owned(),
            ..healthy.clone()
        };
        Self {
            header,
            snapshot: Snapshot {
                time_ns: SECOND,
                listeners: vec![(listener, Totals::default()), (calm, Totals::default())],
                ..Snapshot::default()
            },
            census: Census {
                namespaces: vec![Contents {
                    namespace: Namespace::elsewhere(sample::listener().netns.into(), None),
                    own: true,
                    listeners: Vec::new(),
                    syn_queues: SynQueues::default(),
                    devices: HashMap::new(),
                    sysctls: settings,
                }],
                ..Census::default()
            },
            verdicts: vec![
                Diagnosis { listener: 0, main: sample::verdict(), remarks: vec![late] },
                Diagnosis { listener: 1, main: healthy, remarks: Vec::new() },
            ],
            observed: Observed::default(),
            trails: Trails::new(SECOND),
            victims: Victims::default(),
            courses: Courses::default(),
            queue: VecDeque::new(),
        }
    }

    fn happen(&mut self, time_ns: u64, outcome: Outcome, client: SocketAddr, waited: Option<u64>) {
        let event = QueueEvent {
            time_ns,
            outcome,
            client: Some(client),
            accept_depth: self.queue.len() as u32,
            syn_depth: 0,
            limit: LIMIT as u32,
            duration_ns: waited,
            detail: 0,
            process: None,
        };
        let delay = self.observed.take(1, &event);
        self.trails.observe(1, &event);
        self.victims.observe(1, &event, delay);
        self.courses.observe(1, &event);
        let totals = &mut self.snapshot.listeners[0].1;
        totals.outcomes[outcome as usize] += 1;
        totals.accept_peak = totals.accept_peak.max(event.accept_depth);
        totals.recent_accept_peak = totals.recent_accept_peak.max(event.accept_depth);
        totals.waiting = event.accept_depth.into();
        if let (Outcome::Accepted, Some(waited)) = (outcome, waited) {
            totals.waits.buckets[bucket(waited / 1000)] += 1;
        }
    }

    /// Lets so many seconds pass: 8 clients each second and 60 in the fourth, of which those that are refused
    /// come again a second later; and an accept each 50 ms.
    fn run(mut self, seconds: u64) -> Self {
        let mut coming: VecDeque<(u64, SocketAddr)> = (0..seconds)
            .flat_map(|second| {
                let clients = if second == 3 { 60 } else { 8 };
                (0..clients).map(move |n| {
                    let address = [192, 0, 2, (n % 7) as u8];
                    let time = second * SECOND + n * SECOND / clients / 4;
                    (time, SocketAddr::from((address, (20_000 + second * 100 + n) as u16)))
                })
            })
            .collect();
        for tick in 0..seconds * 1000 {
            let now = SECOND + tick * MILLI;
            while let Some((time, client)) = coming.pop_front_if(|(time, _)| *time <= now - SECOND)
            {
                if self.queue.len() > LIMIT {
                    self.happen(now, Outcome::SynAcceptQueueFull, client, None);
                    let again = (time + SECOND, client);
                    let place = coming.partition_point(|(other, _)| *other <= again.0);
                    coming.insert(place, again);
                } else {
                    self.happen(now, Outcome::SynQueued, client, None);
                    self.queue.push_back((client, now));
                    self.happen(now, Outcome::Established, client, Some(300_000));
                }
            }
            if tick % 50 == 0
                && let Some((client, since)) = self.queue.pop_front()
            {
                self.happen(now, Outcome::Accepted, client, Some(now - since));
            }
            if tick % 1000 == 999 {
                self.snapshot.time_ns = now + MILLI;
                self.trails.note(&self.snapshot);
                self.snapshot.listeners[0].1.recent_accept_peak = 0;
            }
        }
        let totals = &mut self.snapshot.listeners[0].1;
        totals.accept_full_ns = 600 * MILLI;
        let refused = totals.of(Outcome::SynAcceptQueueFull);
        let kernel = |name: &str| match name {
            "ListenOverflows" | "ListenDrops" => Some(refused),
            _ => Some(0),
        };
        self.snapshot.books = vec![Balance::new(sample::listener().netns, totals, kernel)];
        self
    }

    fn page(&self) -> String {
        page(&Facts {
            header: &self.header,
            recording: Some("incident.qtrace"),
            begin_ns: SECOND,
            snapshot: &self.snapshot,
            census: &self.census,
            verdicts: &self.verdicts,
            observed: &self.observed,
            trails: &self.trails,
            victims: &self.victims,
            courses: &self.courses,
        })
        .unwrap()
    }
}

/// One element a line, without drawings and style sheet.
fn structure(page: &str) -> String {
    let (before, after) = page.split_once("<style>").unwrap();
    let mut structure = before.to_owned();
    let (_, mut rest) = after.split_once("</style>").unwrap();
    while let Some((before, after)) = rest.split_once("<svg ") {
        structure.push_str(before);
        let (drawing, after) = after.split_once("</svg>").unwrap();
        let (_, title) = drawing.split_once("<title>").unwrap();
        structure.push_str(title.split_once("</desc>").unwrap().0);
        rest = after;
    }
    structure.push_str(rest);
    for tag in [
        "section", "article", "tr", "h2", "h3", "p", "table", "figure", "ul", "li", "ol", "details",
    ] {
        structure = structure.replace(&format!("<{tag}"), &format!("\n<{tag}"));
    }
    structure + "\n"
}

#[test]
fn a_report_has_the_structure_that_was_agreed_on() {
    golden::check("output/report.html", structure(&Incident::new().run(10).page()).as_bytes());
}

#[test]
fn whatever_names_say_is_text() {
    let hostile = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut incident = Incident::new().run(4);
    incident.header.host = hostile.to_owned();
    incident.header.means.notes = vec![hostile.to_owned()];
    incident.verdicts[0].main.story = hostile.to_owned();
    incident.verdicts[0].main.change = vec![hostile.to_owned()];
    let owner = Process { pid: 1, comm: hostile.to_owned(), ..Process::default() };
    incident.snapshot.listeners[0].0.owners = vec![owner];
    let page = incident.page();
    for markup in ["<script", "<img", "alert(1)>", "\"'>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.matches("&lt;script&gt;").count() >= 5, "the names are there");
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let page = Incident::new().run(4).page();
    for outside in ["http:", "https:", "//", "src=", "@import", "url(", "<link", "<script", "xmlns"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn colours_of_charts_are_variables() {
    let page = Incident::new().run(4).page();
    let (_, drawings) = page.split_once("<svg").unwrap();
    assert!(!drawings.contains("=\"#"), "a colour of its own");
    assert!(drawings.contains("var(--depth)") && drawings.contains("var(--refused)"));
}

#[test]
fn a_long_watch_makes_no_larger_file() {
    let [short, long] = [60, 3_000].map(|seconds| Incident::new().run(seconds).page().len());
    assert!(long < 400_000, "{long} bytes");
    assert!(long < 2 * short, "{long} bytes after {short}");
}

#[test]
fn a_watch_in_which_nothing_was_makes_a_page() {
    let mut incident = Incident::new();
    incident.snapshot.listeners.clear();
    incident.verdicts.clear();
    let page = incident.page();
    assert!(page.contains("Nothing is wrong") && !page.contains("<svg"), "{page}");
}
