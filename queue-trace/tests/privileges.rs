//! Giving up privileges: afterwards what is needed works, and nothing else. Each test is a process of its
//! own, which the test program starts from itself.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "failing is how a test reports")]

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use queue_trace::daemon::privileges::{Needs, Report, Settings, drop_all};
use queue_trace::netlink;
use queue_trace::procfs::{Counters, Owners, reachable};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Names the test that a process is to do.
const VARIABLE: &str = "QUEUE_TRACE_TEST_PRIVILEGES";

/// The tests.
const TESTS: &[(&str, fn())] = &[
    ("what_is_never_needed_is_not_there", what_is_never_needed_is_not_there),
    ("what_is_needed_works", what_is_needed_works),
    ("capabilities_are_gone", capabilities_are_gone),
    ("maps_are_read_and_no_program_is_loaded", maps_are_read_and_no_program_is_loaded),
    ("who_reads_no_maps_has_no_bpf", who_reads_no_maps_has_no_bpf),
    ("other_namespaces_are_entered", other_namespaces_are_entered),
    ("files_are_written_where_they_may_be", files_are_written_where_they_may_be),
    ("what_landlock_would_break_is_said", what_landlock_would_break_is_said),
    ("what_is_switched_off_is_said", what_is_switched_off_is_said),
];

fn main() -> ExitCode {
    if let Ok(wanted) = std::env::var(VARIABLE) {
        let (_, test) = TESTS.iter().find(|(name, _)| *name == wanted).expect("a test");
        test();
        return ExitCode::SUCCESS;
    }
    let trial = |name: &'static str| Trial::test(name, move || alone(name));
    let trials = TESTS.iter().map(|(name, _)| trial(name)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Does a test in a process of its own.
fn alone(name: &str) -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).env(VARIABLE, name).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a daemon with all its features needs.
fn everything() -> Needs {
    Needs { bpf: true, processes: true, namespaces: true, ..Needs::default() }
}

fn give_up(needs: &Needs) -> Report {
    drop_all(&Settings::default(), needs)
}

fn step<'a>(report: &'a Report, name: &str) -> &'a Result<String, String> {
    &report.steps.iter().find(|step| step.name == name).expect(name).result
}

/// The value of a line of `/proc/thread-self/status`.
fn status(name: &str) -> String {
    let text = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect(name).trim().to_owned()
}

fn what_is_never_needed_is_not_there() {
    let report = give_up(&everything());
    assert!(step(&report, "seccomp").is_ok(), "{report:?}");
    assert_eq!((status("Seccomp").as_str(), status("NoNewPrivs").as_str()), ("2", "1"));
    let error = Command::new("/bin/true").spawn().expect_err("a program was executed");
    assert_eq!(error.raw_os_error(), Some(libc::ENOSYS), "{error}");
    let calls = [
        ("execve", libc::SYS_execve),
        ("ptrace", libc::SYS_ptrace),
        ("mount", libc::SYS_mount),
        ("unshare", libc::SYS_unshare),
        ("perf_event_open", libc::SYS_perf_event_open),
        ("init_module", libc::SYS_init_module),
        ("setuid", libc::SYS_setuid),
        ("kill", libc::SYS_kill),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("clone3", libc::SYS_clone3),
    ];
    for (name, call) in calls {
        assert_eq!(refusal(call, [0; 3]), Some(libc::ENOSYS), "{name}");
    }
    // Only network namespaces are entered, and none is made.
    assert_eq!(refusal(libc::SYS_setns, [-1, libc::CLONE_NEWNS.into(), 0]), Some(libc::ENOSYS));
    assert_eq!(refusal(libc::SYS_setns, [-1, libc::CLONE_NEWNET.into(), 0]), Some(libc::EBADF));
    let new = libc::CLONE_NEWUSER | libc::SIGCHLD;
    assert_eq!(refusal(libc::SYS_clone, [new.into(), 0, 0]), Some(libc::ENOSYS));
}

/// The error of a system call, if it fails.
fn refusal(call: libc::c_long, [a, b, c]: [libc::c_long; 3]) -> Option<i32> {
    // SAFETY: no argument is a pointer but null, of which the kernel checks that it is none.
    let result = unsafe { libc::syscall(call, a, b, c, 0, 0) };
    (result < 0).then(|| io::Error::last_os_error().raw_os_error().unwrap())
}

fn what_is_needed_works() {
    let folder = tempfile::tempdir().unwrap();
    let report = give_up(&everything());
    assert!(step(&report, "seccomp").is_ok(), "{report:?}");
    fs::write(folder.path().join("new"), "recorded").unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("old")).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("old")).unwrap(), "recorded");
    UnixListener::bind(folder.path().join("socket")).unwrap();
    assert!(("localhost", 80).to_socket_addrs().unwrap().next().is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(network());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let found = netlink::listeners().unwrap();
    let found = found.iter().find(|found| found.port == port).expect("our listener");
    let owners = Owners::scan(&HashSet::from([found.inode])).unwrap();
    assert_eq!(owners.of(found.inode)[0].process.pid, std::process::id());
    assert!(reachable().unwrap().namespaces[0].inode > 0);
    Counters::read().unwrap();
}

/// Tasks, blocking ones too, timers, signals and connections.
async fn network() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup()).unwrap();
    let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = server.local_addr().unwrap();
    let client = tokio::spawn(async move {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"ping").await.unwrap();
    });
    let (mut stream, _) = server.accept().await.unwrap();
    let mut said = [0; 4];
    stream.read_exact(&mut said).await.unwrap();
    client.await.unwrap();
    assert_eq!(&said, b"ping");
    let read = tokio::task::spawn_blocking(|| fs::read("/proc/net/netstat").unwrap());
    assert!(!read.await.unwrap().is_empty());
    tokio::time::timeout(Duration::from_millis(1), hangup.recv()).await.unwrap_err();
}

fn capabilities_are_gone() {
    let report = give_up(&Needs { bpf: true, ..Needs::default() });
    let said = step(&report, "capabilities").as_ref().unwrap();
    let set = |name| u64::from_str_radix(&status(name), 16).unwrap();
    let bpf = if root() { 1 << 39 } else { 0 };
    assert_eq!(set("CapEff") & !(1 << 39), 0, "{said}");
    assert_eq!((set("CapPrm"), set("CapInh"), set("CapAmb")), (set("CapEff"), 0, 0), "{said}");
    match said.contains("no others in the bounding set") {
        true => assert_eq!(set("CapBnd") & !bpf, 0, "{said}"),
        false => assert!(said.contains("CAP_SETPCAP"), "{said}"),
    }
    assert_eq!(said.contains("CAP_BPF kept"), set("CapEff") != 0, "{said}");
}

fn maps_are_read_and_no_program_is_loaded() {
    let mut map = aya::maps::Array::<_, u64>::create(1, 0).ok();
    assert!(map.is_some() || !root(), "root can make maps");
    give_up(&everything());
    if let Some(map) = &mut map {
        map.set(0, 42, 0).unwrap();
        assert_eq!(map.get(&0, 0).unwrap(), 42);
    }
    let (create, load) = (0, 5);
    for command in [create, load] {
        assert_eq!(refusal(libc::SYS_bpf, [command, 0, 0]), Some(libc::ENOSYS), "{command}");
    }
}

fn who_reads_no_maps_has_no_bpf() {
    let report = give_up(&Needs::default());
    assert!(step(&report, "seccomp").is_ok(), "{report:?}");
    assert_eq!(refusal(libc::SYS_bpf, [1, 0, 0]), Some(libc::ENOSYS));
    assert_eq!(status("CapEff").trim_start_matches('0'), "");
}

/// Starts a process that sleeps in a network namespace of its own, until this one ends.
fn sleeper() -> io::Result<Child> {
    let mut command = Command::new("sleep");
    command.arg("600");
    let alone = || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // SAFETY: nothing is shared with a process that is just being made.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
    };
    // SAFETY: only system calls are made, nothing is allocated.
    unsafe { command.pre_exec(alone) };
    command.spawn()
}

fn other_namespaces_are_entered() {
    // Whoever may not make one has none to enter.
    let Ok(sleeper) = sleeper() else {
        assert!(!root(), "root can make namespaces");
        return;
    };
    give_up(&everything());
    let found = reachable().unwrap();
    let other = found.namespaces.iter().find(|one| one.pid == Some(sleeper.id()));
    let other = other.expect("the namespace of the process that sleeps");
    let inside = other.run(|| netlink::listeners().map(|all| all.len())).unwrap();
    assert_eq!(inside.unwrap(), 0);
}

fn files_are_written_where_they_may_be() {
    let [inside, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "").unwrap();
    let write = vec![inside.path().to_owned()];
    let report = give_up(&Needs { bpf: true, write, ..Needs::default() });
    fs::write(inside.path().join("file"), "").unwrap();
    fs::remove_file(inside.path().join("file")).unwrap();
    fs::read_to_string("/proc/net/netstat").unwrap();
    let [written, read] = [
        fs::write(outside.path().join("file"), ""),
        fs::read(outside.path().join("secret")).map(drop),
    ]
    .map(|result| result.map_err(|error| error.kind()));
    let denied = Err(io::ErrorKind::PermissionDenied);
    match step(&report, "landlock") {
        Ok(said) => {
            assert!(said.contains(&inside.path().display().to_string()), "{said}");
            assert_eq!((written, read), (denied, denied));
        }
        Err(said) => {
            assert!(said.contains("no Landlock"), "{said}");
            assert_eq!((written, read), (Ok(()), Ok(())));
        }
    }
}

fn what_landlock_would_break_is_said() {
    let report = give_up(&everything());
    let said = step(&report, "landlock").as_ref().unwrap_err();
    assert!(said.contains("other processes"), "{said}");
    assert!(report.steps[2].to_string().starts_with("landlock: not limited: "), "{report:?}");
}

fn what_is_switched_off_is_said() {
    let off = Settings { capabilities: false, landlock: false, seccomp: false };
    let before = status("CapEff");
    let report = drop_all(&off, &everything());
    for name in ["capabilities", "landlock", "seccomp"] {
        let said = step(&report, name).as_ref().unwrap_err();
        assert!(said.contains("switched off"), "{said}");
    }
    assert_eq!((status("CapEff"), status("Seccomp")), (before, "0".to_owned()));
    assert!(Command::new("/bin/sh").args(["-c", ":"]).status().unwrap().success());
}
