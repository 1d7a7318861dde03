//! `queue-trace listeners` and what it is built on, with real sockets in network namespaces made
//! for the purpose. Needs root.

#[path = "../support/netns.rs"]
mod netns;
mod support;

use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::process::Command;

use netns::in_fresh_netns;
use queue_trace::netlink;
use queue_trace::procfs::{Counters, EnterError, Namespace, Owners, Sysctls, reachable};
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use support::{
    Options, command, connect, inode, json, knock, lines, listen, listen_with, run_as_nobody,
    stdout,
};

/// The fields `names` of `line`.
fn fields(line: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| line[*name].clone()).collect()
}

#[test]
fn depth_limit_and_owner_are_those_of_the_socket() {
    in_fresh_netns(|| {
        let v4 = listen("127.0.0.1:7001", 5);
        let v6 = listen("[::1]:7002", 2);
        let _waiting = (connect("127.0.0.1:7001", 4), connect("[::1]:7002", 3));
        let listed = json();
        assert_eq!(listed.len(), 2, "{listed:?}");
        let queue = ["address", "port", "v6only", "accept_queue_depth", "accept_queue_limit"];
        assert_eq!(json!(fields(&listed[0], &queue)), json!(["127.0.0.1", 7001, null, 4, 5]));
        assert_eq!(json!(fields(&listed[1], &queue)), json!(["::1", 7002, true, 3, 2]));
        for (line, socket, full) in [(&listed[0], &v4, false), (&listed[1], &v6, true)] {
            assert_eq!(line["accept_queue_full"], full);
            assert_eq!(line["inode"], inode(socket));
            assert_eq!(line["cookie"], sockopt::socket_cookie(socket).unwrap());
            assert_eq!(line["netns"], Namespace::own().unwrap().inode);
            // Another test's child may hold it too, between fork and exec.
            let mut owners = line["owners"].as_array().unwrap().iter();
            let owner = owners.find(|owner| owner["pid"] == std::process::id()).unwrap();
            assert_eq!(owner["fd"], socket.as_raw_fd());
            let program = std::env::current_exe().unwrap();
            assert_eq!(owner["executable"].as_str(), program.to_str());
            let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
            let group = owner["cgroup"].as_str().unwrap();
            assert!(groups.lines().any(|line| line.ends_with(&format!(":{group}"))), "{group}");
        }
        let table = stdout(&["--netns", "own"]);
        assert!(table.contains("\n[::1]      7002"), "{table}");
        assert!(table.contains(" 3/2 FULL "), "{table}");
    });
}

#[test]
fn a_backlog_is_clamped_to_somaxconn() {
    in_fresh_netns(|| {
        std::fs::write("/proc/sys/net/core/somaxconn", "77").unwrap();
        let _listener = listen("127.0.0.1:7001", -1);
        let listed = json();
        assert_eq!(listed[0]["accept_queue_limit"], 77);
        assert_eq!(listed[0]["sysctls"]["somaxconn"], 77);
    });
}

#[test]
fn half_open_requests_are_counted_at_their_listener() {
    in_fresh_netns(|| {
        let defer = || Options { defer: true, reuseport: true, ..Options::default() };
        let _listeners = [
            listen_with("127.0.0.1:7001", 9, &defer()),
            listen_with("0.0.0.0:7001", 9, &defer()),
            listen_with("[::]:7002", 9, &Options { dual_stack: true, ..defer() }),
            listen_with("[::1]:7003", 9, &defer()),
            listen_with("[::1]:7003", 9, &defer()),
        ];
        let _clients = [
            connect("127.0.0.1:7001", 1),
            connect("127.0.0.2:7001", 2),
            connect("127.0.0.1:7002", 3),
            connect("[::1]:7002", 1),
            connect("[::1]:7003", 5),
        ];
        let names = ["address", "port", "half_open", "half_open_shared_by", "accept_queue_depth"];
        let listed: Vec<_> = json().iter().map(|line| fields(line, &names)).collect();
        let expected = json!([
            ["0.0.0.0", 7001, 2, 1, 0],
            ["127.0.0.1", 7001, 1, 1, 0],
            ["::", 7002, 4, 1, 0],
            ["::1", 7003, 5, 2, 0],
            ["::1", 7003, 5, 2, 0],
        ]);
        assert_eq!(json!(listed), expected);
        assert!(stdout(&["--netns", "own", "--port", "7003"]).contains(" group 5 "));
    });
}

#[test]
fn drops_are_the_socket_s_and_overflows_the_namespace_s() {
    in_fresh_netns(|| {
        let listener = listen("127.0.0.1:7001", 0);
        let _waiting = connect("127.0.0.1:7001", 1);
        let before = Counters::read().unwrap();
        let _refused = [knock("127.0.0.1:7001"), knock("127.0.0.1:7001")];
        let grown = Counters::read().unwrap().since(&before);
        assert_eq!(grown.get("ListenOverflows"), Some(2));
        assert_eq!(grown.get("ListenDrops"), Some(2));
        let listed = netlink::listeners().unwrap();
        assert_eq!(u64::from(listed[0].inode), inode(&listener));
        assert!(listed[0].full());
        // A SYN sent again after a second would add to it.
        assert!(listed[0].drops >= Some(2), "{listed:?}");
    });
}

#[test]
fn other_namespaces_are_found_and_entered() {
    let (inode, mut child, _listener) = in_fresh_netns(|| {
        std::fs::write("/proc/sys/net/core/somaxconn", "99").unwrap();
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        (Namespace::own().unwrap().inode, child, listen("127.0.0.1:7009", 5))
    });
    let find = || reachable().unwrap().namespaces.into_iter().find(|found| found.inode == inode);
    let namespace = find().expect("the namespace of the child is not listed");
    assert_eq!(namespace.pid, Some(child.id()));

    let (ports, sysctls, counters) = namespace
        .run(|| {
            let ports: Vec<_> = netlink::listeners().unwrap().iter().map(|l| l.port).collect();
            (ports, Sysctls::read(), Counters::read().unwrap())
        })
        .unwrap();
    assert_eq!((ports, sysctls.somaxconn), (vec![7009], Some(99)));
    assert_eq!(counters.get("PassiveOpens"), Some(0));
    assert_eq!(Counters::of_process(child.id()).unwrap().get("PassiveOpens"), Some(0));
    assert_ne!(Namespace::own().unwrap().inode, inode, "the caller must stay where it was");

    let number = inode.to_string();
    let arguments = ["--format", "json", "--port", "7009", "--netns"];
    for (netns, count) in [(number.as_str(), 1), ("all", 1), ("own", 0)] {
        let listed = lines(&stdout(&[&arguments[..], &[netns]].concat()));
        assert_eq!(listed.len(), count, "{netns}: {listed:?}");
    }

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(namespace.run(|| ()), Err(EnterError::Vanished)));
}

#[test]
fn no_listeners_is_said() {
    in_fresh_netns(|| {
        assert_eq!(stdout(&["--netns", "own"]), "no TCP listeners\n");
        let output = command(&["--netns", "own", "--format", "json"]).output().unwrap();
        assert_eq!(output.stdout, b"");
        assert_eq!(output.stderr, b"queue-trace: no TCP listeners\n");
    });
}

#[test]
fn bad_arguments_are_one_line_and_the_right_status() {
    for (arguments, status, message) in [
        (&["--port", "0"], 2, "0 is not in 1..=65535"),
        (&["--netns", "nowhere"], 1, "no network namespace nowhere"),
        (&["--netns", "17"], 1, "no network namespace 17 is visible"),
    ] {
        let output = command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn an_ordinary_user_sees_the_queues_and_is_told_what_is_missing() {
    in_fresh_netns(|| {
        let _listeners = [listen("127.0.0.1:7001", 5), listen("[::1]:7001", 5)];
        let _waiting = connect("127.0.0.1:7001", 3);
        let output = run_as_nobody(&["--format", "json"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let listed = lines(std::str::from_utf8(&output.stdout).unwrap());
        let names = ["address", "accept_queue_depth", "accept_queue_limit", "owners"];
        let listed: Vec<_> = listed.iter().map(|line| fields(line, &names)).collect();
        assert_eq!(json!(listed), json!([["127.0.0.1", 3, 5, []], ["::1", 0, 5, []]]));
        assert!(error.contains("owners of 2 listeners are not visible without root"), "{error}");
        assert!(error.contains("network namespaces of "), "{error}");
    });
}

#[test]
fn a_thousand_listeners_come_in_several_parts() {
    const COUNT: usize = 1000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    in_fresh_netns(|| {
        let sockets: Vec<_> =
            (0..COUNT).map(|n| listen(&format!("127.0.0.1:{}", 20_000 + n), 5)).collect();
        let listed = netlink::listeners().unwrap();
        let inodes: HashSet<_> = listed.iter().map(|listener| listener.inode).collect();
        let expected: HashSet<_> = sockets.iter().map(|socket| inode(socket) as u32).collect();
        assert_eq!((listed.len(), &inodes), (COUNT, &expected));
        let owners = Owners::scan(&inodes).unwrap();
        for inode in &inodes {
            assert!(owners.of(*inode).iter().any(|owner| owner.process.pid == std::process::id()));
        }
    });
}
