//! Why a process does not accept, or too slowly: each cause that can be provoked, and beside it what nearly is one.
//! That it is stopped is in `accepting`. A process that has ended holds no listener any more, and is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::Value;

use super::{Report, doctor};
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::holder::{Deed, Holder};
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::wait;

const BACKLOG: u32 = 2;
/// Longer than a queue must stand still, and so long that a share of it is a share.
const WATCH: Duration = Duration::from_secs(2);
/// What a control group may have of a processor: a tenth.
const QUOTA: &str = "10000 100000";

/// A listener with a full queue, and the process that is to empty it.
struct Case {
    server: Server,
    holder: Holder,
    clients: Vec<Client>,
    /// What doctor has to say of it.
    cause: &'static str,
    /// How its first step begins, with `PID` for the process.
    step: &'static str,
}

impl Case {
    fn begin(port: u16, deed: Deed, cause: &'static str, step: &'static str) -> Self {
        Self::beside(port, &[], deed, cause, step)
    }

    /// The same with a process that holds others, too.
    fn beside(
        port: u16,
        others: &[&Server],
        deed: Deed,
        cause: &'static str,
        step: &'static str,
    ) -> Self {
        let server = Server::listen(Family::V4.loopback(port), BACKLOG as i32);
        let holder = Holder::begin(&[&[&server], others].concat(), deed);
        Self { server, holder, clients: Vec::new(), cause, step }
    }

    /// That it is said so, of this process, with what to do; the evidence, and the first step.
    fn check<'a>(&self, report: &'a Report) -> (&'a Value, &'a str) {
        let said = report.says(&self.server, "stopped_acceptor");
        let said = said.unwrap_or_else(|| panic!("{:#?}", report.at(&self.server)));
        let (evidence, step) = (&said["evidence"], said["change"][0].as_str().unwrap());
        assert_eq!(evidence["cause"], self.cause, "{said:#}");
        assert_eq!(evidence["pid"], self.holder.pid(), "{said:#}");
        let begin = self.step.replace("PID", &self.holder.pid().to_string());
        assert!(step.starts_with(&begin), "{begin}? {said:#}");
        (evidence, step)
    }
}

/// A control group that may have a tenth of a processor.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Self {
        let root = Path::new("/sys/fs/cgroup");
        fs::write(root.join("cgroup.subtree_control"), "+cpu").unwrap();
        let folder = root.join(format!("queue-trace-{name}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cpu.max"), QUOTA).unwrap();
        Self(folder)
    }

    fn take(&self, holder: &Holder) {
        fs::write(self.0.join("cgroup.procs"), holder.pid().to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not before the last of its processes is gone; the guest ends soon.
        let _ = fs::remove_dir(&self.0);
    }
}

pub(in crate::scenarios) fn run() {
    let groups = ["throttled", "calm"].map(Group::new);
    let slow = Server::listen(Family::V4.loopback(8030), BACKLOG as i32);
    let mut cases = cases(&groups, &slow);
    wait::until("a process to wait uninterruptibly", || cases[LENT].holder.state() == 'D');
    for case in &mut cases {
        case.clients.extend(case.server.fill(BACKLOG + 1));
        case.server.let_go();
    }

    let doctor = doctor(&[]);
    // Where there is one processor, doctor's own work must not make it wait for half of the time.
    cases[BUSY].holder.favour();
    let clients = overflow(&slow);
    std::thread::sleep(WATCH);
    let (success, report) = Report::of(doctor);
    assert!(success);

    let said: Vec<_> = cases.iter().map(|case| case.check(&report)).collect();
    for ((evidence, _), limit) in said.iter().zip([4, 5]) {
        assert_eq!((&evidence["open_files"], &evidence["file_limit"]), (&4.into(), &limit.into()));
    }
    let raised = format!("echo \"20000 100000\" > {}/cpu.max", groups[0].0.display());
    assert_eq!(said[THROTTLED].1, raised);
    let evidence = &report.says(&slow, "slow_acceptor").expect("slow_acceptor")["evidence"];
    let pid = cases[BUSY].holder.pid();
    assert_eq!((&evidence["cause"], &evidence["pid"]), (&"busy".into(), &pid.into()));
    check_times(&report, |case| said[case].0);
    drop(clients);
}

// Where they are among the cases.
const THROTTLED: usize = 2;
const CALM: usize = 3;
const BUSY: usize = 4;
const STARVED: usize = 5;
const ELSEWHERE: usize = 6;
const LENT: usize = 7;
const NOW_AND_THEN: usize = 8;

/// Each beside what nearly is one. `slow` is the other listener of the process that is busy.
fn cases(groups: &[Group; 2], slow: &Server) -> Vec<Case> {
    let hangs = "see where it hangs: cat /proc/PID/";
    let throttled = Case::begin(8023, Deed::Compute, "throttled_by_cgroup", "echo ");
    groups[0].take(&throttled.holder);
    // It may not have more, but does not want it.
    let calm = Case::begin(8024, Deed::Pause, "blocked", hangs);
    groups[1].take(&calm.holder);
    // Each of the two is what the other one nearly is.
    let computes = "see what it computes: perf top -p PID;";
    let busy = Case::beside(8025, &[slow], Deed::Compute, "busy", computes);
    busy.holder.on_first_processor();
    let starved = Case::begin(8026, Deed::Compute, "waiting_for_a_cpu", "renice -n -5 -p PID,");
    starved.holder.on_what_is_left();
    let elsewhere = Case::begin(8027, Deed::Poll, "not_asking", "see whether it still asks");
    let lent = Case::begin(8028, Deed::Lend, "uninterruptible", hangs);
    let now_and_then = Case::begin(8029, Deed::LendNowAndThen, "blocked", hangs);
    let others = [throttled, calm, busy, starved, elsewhere, lent, now_and_then];
    descriptors().into_iter().chain(others).collect()
}

/// How long the processes did what, by the scheduler's word, is what they were made to do.
fn check_times<'a>(report: &Report, evidence: impl Fn(usize) -> &'a Value) {
    assert_eq!(report.0["scheduler"], "attached");
    let watched = report.0["watched_ns"].as_u64().unwrap();
    let shares = |case| {
        let evidence = evidence(case);
        let time = |name| evidence[name].as_u64().unwrap_or_else(|| panic!("{name}? {evidence:#}"));
        let times = ["ran_ns", "waited_for_cpu_ns", "slept_ns", "uninterruptible_ns"].map(time);
        // It begins a little before, and ends a little after.
        let sum: u64 = times.iter().sum();
        assert!(sum >= watched / 10 * 9, "{sum} of {watched}: {evidence:#}");
        let shares = times.map(|time| time as f64 / sum as f64);
        eprintln!("{}: {shares:.2?} of {sum} ns", evidence["cause"]);
        shares
    };
    let [ran, ready, ..] = shares(THROTTLED);
    assert!((0.02..0.3).contains(&ran) && ready > 0.6, "throttled: {ran} {ready}");
    let [ran, ready, ..] = shares(BUSY);
    assert!(ran > 0.5 && ran + ready > 0.95, "busy: {ran} {ready}");
    let [ran, ready, ..] = shares(STARVED);
    assert!(ready > 0.5 && ran + ready > 0.95, "starved: {ran} {ready}");
    for case in [CALM, ELSEWHERE] {
        let [.., slept, _] = shares(case);
        assert!(slept > 0.95, "asleep: {slept}");
    }
    let [.., blocked] = shares(LENT);
    assert!(blocked > 0.95, "uninterruptible: {blocked}");
    let [.., slept, blocked] = shares(NOW_AND_THEN);
    assert!((0.02..0.5).contains(&blocked) && slept > 0.3, "now and then: {slept} {blocked}");
}

/// A process that accepts until it has as many descriptors as it may have, and one that may have one more.
fn descriptors() -> [Case; 2] {
    let full = Case::begin(
        8021,
        Deed::Accept(usize::MAX),
        "out_of_descriptors",
        "prlimit --pid PID --nofile=1024:1024, and LimitNOFILE=1024 in its unit",
    );
    let nearly =
        Case::begin(8022, Deed::Accept(3), "blocked", "see where it hangs: cat /proc/PID/");
    [(full, 4), (nearly, 5)].map(|(mut case, limit)| {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        prlimit(Some(case.holder.id()), Resource::Nofile, limit).unwrap();
        case.clients = Client::connect_many(case.server.address, 3);
        wait::until("a process to accept them", || case.holder.descriptors() == 4);
        case
    })
}

/// One is accepted, and then the queue is full to the end, and refuses.
fn overflow(server: &Server) -> Vec<Client> {
    let mut clients = server.fill(BACKLOG + 1);
    server.accept();
    clients.extend(server.fill(BACKLOG + 1));
    let before = Counters::read().get("ListenOverflows");
    clients.push(Client::connect(server.address));
    wait::until("a refusal", || Counters::read().get("ListenOverflows") > before);
    clients
}
