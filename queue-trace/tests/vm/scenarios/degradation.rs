//! Hooks that a kernel may lack, taken away one by one: what is then said to be hidden is hidden, and
//! what remains balances.
//!
//! Attaching and detaching is what costs time here, so each kernel takes its share of the hooks; over
//! the five kernels all are taken. `QUEUE_TRACE_TEST_ALL_HOOKS=1` takes all on each.

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Tracer};

/// Functions without which nothing can be counted.
const REQUIRED: &[&str] = &["inet_csk_reqsk_queue_add", "tcp_check_req", "tcp_conn_request"];

/// The same where reading any address takes a helper; elsewhere something else tells the same.
const REQUIRED_BY_HELPERS: &[&str] =
    &["tcp_try_fastopen", "inet_csk_complete_hashdance", "inet_csk_reqsk_queue_hash_add"];

/// The same, by kprobes only: by fentry a counter of the kernel stands in for it.
const REQUIRED_BY_KPROBES: &str = "cookie_v4_init_sequence";

/// The same where hooks are cheap; elsewhere counters stand in for it.
const REQUIRED_WHERE_CHEAP: &str = "inet_reqsk_alloc";

/// Without these the counters do not tell all, and what they stand in for is hooked.
const BESIDE_COUNTERS: &[&str] = &["slab_out_of_memory", "proto_register"];

/// A function of the kernel's for BPF programs, which `--without-hook` leaves out, too.
const CAST: &str = "bpf_rdonly_cast";

/// A ring of records for each CPU, which `--without-hook` leaves out, too.
const RINGS: &str = "rings";

/// Variables without which it is not known where this CPU's counters are: BTF has the first from 6.1 on, and
/// `/proc/kallsyms` the other.
const THIS_CPU: &str = "this_cpu_off";
const PER_CPU_OFFSET: &str = "__per_cpu_offset";

/// Functions to do without, and a word of what is said to be hidden then; an empty word: nothing,
/// because something else stands in for it.
const OPTIONAL: &[(&str, &str)] = &[
    ("tcp_syn_flood_action", ""),
    ("tcp_get_syncookie_mss", ""),
    ("security_sock_graft", ""),
    ("tcp_peer_is_proven", "last-quarter rule"),
    ("__inet_csk_reqsk_queue_drop", "end without a connection"),
    ("tcp_oow_rate_limited", "repeated SYNs"),
    ("tcp_rtx_synack", "SYN-ACKs sent again"),
    ("__cookie_v4_check", "cookies over IPv4"),
    ("cookie_v6_check", "cookies over IPv6"),
    ("inet_child_forget", "abandoned"),
    ("__sys_accept4", "accept() that returns an error"),
    ("__sys_listen", "backlog that programs ask for"),
    ("inet_csk_listen_stop", "listeners that close"),
    ("reqsk_timer_handler", "why a half-open request expired"),
    ("tcp_req_err", "ICMP error"),
    ("tcp_v4_conn_request", "IPv4 broadcast"),
    ("tcp_v6_conn_request", "IPv6 multicast"),
];

const BACKLOG: u32 = 1;
const REFUSED: usize = 2;

pub(super) fn run() {
    let (share, shares) = share();
    let mine = |number: usize| number % shares == share;
    let required = REQUIRED.iter().enumerate().filter(|(number, _)| mine(*number));
    required.for_each(|(_, function)| refuses_to_start(function));
    if program::reads_cheaply() {
        let superfluous = REQUIRED_BY_HELPERS.iter().chain([&CAST]);
        superfluous.for_each(|function| goes_on_without(function, ""));
    } else {
        REQUIRED_BY_HELPERS.iter().for_each(|function| refuses_to_start(function));
    }
    if program::counters_tell_progress() {
        let superfluous = BESIDE_COUNTERS.iter().chain([&REQUIRED_WHERE_CHEAP]);
        superfluous.for_each(|function| goes_on_without(function, ""));
    } else {
        refuses_to_start(REQUIRED_WHERE_CHEAP);
    }
    if program::by_kprobes() {
        refuses_to_start(REQUIRED_BY_KPROBES);
        goes_on_without("cookie_v6_init_sequence", "SYN cookies over IPv6");
    } else {
        goes_on_without(REQUIRED_BY_KPROBES, "");
    }
    goes_on_without(RINGS, "");
    goes_on_without(THIS_CPU, "");
    goes_on_without(PER_CPU_OFFSET, "Fast Open attempts");
    let optional = OPTIONAL.iter().enumerate().filter(|(number, _)| mine(*number));
    optional.for_each(|(_, (function, hidden))| goes_on_without(function, hidden));
}

/// Which of how many shares of the hooks this kernel takes.
fn share() -> (usize, usize) {
    if std::env::var_os("QUEUE_TRACE_TEST_ALL_HOOKS").is_some() {
        return (0, 1);
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let series = ["5.10.", "6.1.", "6.12.", "7.2."];
    (series.iter().position(|series| release.starts_with(series)).unwrap_or(4), 5)
}

fn refuses_to_start(function: &str) {
    let arguments = ["trace", "--duration", "1ms", "--without-hook", function];
    let mut command = program::queue_trace();
    let output = command.args(arguments).args(program::attach_arguments()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "without {function}: {said}");
    assert_eq!(said.lines().count(), 1, "without {function}: {said}");
    assert!(said.contains(function) && said.contains("queue-trace listeners"), "{said}");
}

fn goes_on_without(function: &str, hidden: &str) {
    let netns = namespace::inode();
    let tracer = Tracer::start(Place::Outside, netns, &["--without-hook", function]);
    let server = Server::listen(Family::V4.loopback(8080), BACKLOG as i32);
    let inside = server.fill(BACKLOG + 1);
    let outside = Client::connect_many(server.address, REFUSED);
    tracer.wait_in(netns, "each client's SYN to be refused", |events| {
        outside.iter().all(|client| events.of_client(client.address).count("syn_refused") >= 1)
    });
    server.accept_all(inside.len() + outside.len());
    let all = (inside.len() + outside.len()) as u64;
    tracer.wait_in(netns, "the accepts", |events| events.count("accept") == all);
    drop(server);

    let trace = tracer.stop();
    let text = &trace.summary.text;
    let always = |line: &&str| program::HIDDEN_FROM_KPROBES.iter().any(|it| line.contains(it));
    let said = text.lines().filter(|line| line.contains("not visible"));
    let said: Vec<_> = said.filter(|line| !(program::by_kprobes() && always(line))).collect();
    if hidden.is_empty() {
        assert!(said.is_empty(), "without {function}: {said:#?}");
    } else {
        let there = text.lines().any(|line| line.contains("not visible") && line.contains(hidden));
        assert!(there, "without {function}: {said:#?}");
    }
    assert_eq!(trace.events.count("established"), all, "without {function}:\n{}", trace.events);
    assert_eq!(
        trace.events.count("syn_refused"),
        trace.events.count_because("syn_refused", "accept_queue_full"),
        "without {function}:\n{}",
        trace.events
    );
    assert!(!text.contains("DO NOT BALANCE"), "without {function}:\n{text}");
    assert!(!text.contains("disagree with"), "without {function}:\n{text}");
}
