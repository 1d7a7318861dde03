//! Hooks that a kernel may lack, taken away: what is then said to be hidden is hidden, and what remains
//! balances.
//!
//! Attaching and detaching is what costs time here, so what does not depend on one another is taken away
//! together, and of the optional hooks each kernel takes its share; over the five kernels all are taken.
//! `QUEUE_TRACE_TEST_ALL_HOOKS=1` takes each away by itself, and all on each kernel.

use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Tracer};

/// Functions without which nothing can be counted.
const REQUIRED: &[&str] = &["inet_csk_reqsk_queue_add", "tcp_check_req", "tcp_conn_request"];

/// The same where reading any address takes a helper; elsewhere something else tells the same.
const REQUIRED_BY_HELPERS: [&str; 3] =
    ["tcp_try_fastopen", "inet_csk_complete_hashdance", "inet_csk_reqsk_queue_hash_add"];

/// The same, by kprobes only: by fentry a counter of the kernel stands in for it.
const REQUIRED_BY_KPROBES: &str = "cookie_v4_init_sequence";

/// The same where hooks are cheap; elsewhere counters stand in for it.
const REQUIRED_WHERE_CHEAP: &str = "inet_reqsk_alloc";

/// Without these the counters do not tell all, and what they stand in for is hooked.
const BESIDE_COUNTERS: [&str; 2] = ["slab_out_of_memory", "proto_register"];

/// A function of the kernel's for BPF programs, which `--without-hook` leaves out, too.
const CAST: &str = "bpf_rdonly_cast";

/// A ring of records for each CPU, which `--without-hook` leaves out, too.
const RINGS: &str = "rings";

/// Variables without which it is not known where this CPU's counters are: BTF has the first from 6.1 on, and
/// `/proc/kallsyms` the other.
const THIS_CPU: &str = "this_cpu_off";
const PER_CPU_OFFSET: &str = "__per_cpu_offset";

/// A function to do without, and a word of what is said to be hidden then; an empty word: nothing, because
/// something else stands in for it.
type Hook = (&'static str, &'static str);

const OPTIONAL: &[Hook] = &[
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
    let mut independent: Vec<Hook> = vec![(RINGS, ""), (THIS_CPU, "")];
    if program::reads_cheaply() {
        independent.extend(REQUIRED_BY_HELPERS.map(|function| (function, "")));
        go_on_without(&[(CAST, "")]);
    } else {
        REQUIRED_BY_HELPERS.iter().for_each(|function| refuses_to_start(function));
    }
    if program::counters_tell_progress() {
        // Either has the other's stand-in hooked.
        go_on_without(&BESIDE_COUNTERS.map(|function| (function, "")));
        go_on_without(&[(REQUIRED_WHERE_CHEAP, "")]);
    } else {
        refuses_to_start(REQUIRED_WHERE_CHEAP);
    }
    if program::by_kprobes() {
        refuses_to_start(REQUIRED_BY_KPROBES);
        independent.push(("cookie_v6_init_sequence", "SYN cookies over IPv6"));
    } else {
        independent.push((REQUIRED_BY_KPROBES, ""));
    }
    go_on_without(&independent);
    go_on_without(&[(PER_CPU_OFFSET, "Fast Open attempts")]);
    let optional = OPTIONAL.iter().enumerate().filter(|(number, _)| mine(*number));
    let optional: Vec<_> = optional.map(|(_, hook)| *hook).collect();
    go_on_without(&optional);
}

/// Which of how many shares of the hooks this kernel takes.
fn share() -> (usize, usize) {
    if all_by_themselves() {
        return (0, 1);
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let series = ["5.10.", "6.1.", "6.12.", "7.2."];
    (series.iter().position(|series| release.starts_with(series)).unwrap_or(4), 5)
}

fn all_by_themselves() -> bool {
    std::env::var_os("QUEUE_TRACE_TEST_ALL_HOOKS").is_some()
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

/// Takes them away together, unless each is to be taken away by itself.
fn go_on_without(hooks: &[Hook]) {
    let at_once = if all_by_themselves() { 1 } else { hooks.len() };
    hooks.chunks(at_once).for_each(goes_on_without);
}

fn goes_on_without(hooks: &[Hook]) {
    let netns = namespace::inode();
    let arguments: Vec<_> = hooks.iter().flat_map(|(hook, _)| ["--without-hook", hook]).collect();
    let tracer = Tracer::start(Place::Outside, netns, &arguments);
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
    let hidden: Vec<_> = hooks.iter().filter(|(_, hidden)| !hidden.is_empty()).collect();
    assert_eq!(said.is_empty(), hidden.is_empty(), "without {hooks:?}: {said:#?}");
    for (_, hidden) in hidden {
        let there = text.lines().any(|line| line.contains("not visible") && line.contains(hidden));
        assert!(there, "without {hooks:?}: {said:#?}");
    }
    let events = &trace.events;
    assert_eq!(events.count("established"), all, "without {hooks:?}:\n{events}");
    assert_eq!(
        events.count("syn_refused"),
        events.count_because("syn_refused", "accept_queue_full"),
        "without {hooks:?}:\n{events}",
    );
    assert!(!text.contains("DO NOT BALANCE"), "without {hooks:?}:\n{text}");
    assert!(!text.contains("disagree with"), "without {hooks:?}:\n{text}");
}
