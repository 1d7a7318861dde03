//! Time and memory of reading the running kernel's BTF, questions included.
//!
//! The limits are 10 ms and 10 MB for both together: this is part of every start.

use std::{hint::black_box, time::Duration};

use criterion::Criterion;
use queue_trace::kernel::btf::Btf;

/// Asks what the start of the program asks: about 120 members, functions and enumerators.
fn ask(btf: &Btf) -> usize {
    let members = [
        ("sock", "__sk_common.skc_family"),
        ("sock", "__sk_common.skc_reuseport"),
        ("sock", "__sk_common.skc_v6_rcv_saddr"),
        ("sock", "sk_max_ack_backlog"),
        ("sock", "sk_cgrp_data.cgroup"),
        ("inet_connection_sock", "icsk_accept_queue.qlen"),
        ("inet_connection_sock", "icsk_accept_queue.fastopenq.max_qlen"),
        ("inet_request_sock", "acked"),
        ("tcp_request_sock", "snt_synack"),
        ("net", "ipv4.sysctl_max_syn_backlog"),
        ("sk_buff", "transport_header"),
        ("task_struct", "comm"),
    ];
    let functions = ["tcp_conn_request", "tcp_check_req", "inet_csk_accept", "no_such_function"];
    let enumerators = ["LINUX_MIB_LISTENOVERFLOWS", "LINUX_MIB_LISTENDROPS", "NO_SUCH_VALUE"];
    let mut answers = 0;
    for _ in 0..6 {
        answers += members.iter().filter(|(name, path)| btf.has_member(name, path)).count();
        answers += functions.iter().filter(|name| btf.function(name).is_some()).count();
        answers += enumerators.iter().filter(|name| btf.enum_value(name).is_some()).count();
    }
    answers
}

/// Peak memory of this process so far, as the kernel counts it (`VmHWM`).
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

fn main() {
    // Before the measurement proper, which takes memory of its own.
    let before = peak_memory();
    let Ok(btf) = Btf::from_kernel() else {
        println!("btf: this kernel shows none, nothing to measure");
        return;
    };
    let answers = ask(&btf);
    println!("peak memory {before:?} before, {:?} after; {answers} answers", peak_memory());

    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    criterion.bench_function("btf: read this kernel's and ask 114 questions", |bencher| {
        bencher.iter(|| Btf::from_kernel().map(|btf| ask(black_box(&btf))));
    });
    criterion.bench_function("btf: 114 questions", |bencher| bencher.iter(|| ask(black_box(&btf))));
    criterion.final_summary();
}
