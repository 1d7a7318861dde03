//! As an ordinary user with some of root's capabilities: what they are for works, and what is missing is
//! said.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use rustix::process::{Gid, Resource, Rlimit, Uid, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_gid, set_thread_uid,
};

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::program::{
    attach_arguments, by_kprobes, has_three_numbers, kernel_release, queue_trace,
};
use crate::harness::server::Server;

const BACKLOG: u32 = 3;
/// User and group `nobody`.
const NOBODY: u32 = 65_534;

pub(super) fn run() {
    // At Debian's 3 kprobes need CAP_SYS_ADMIN on Linux 5.10.
    std::fs::write("/proc/sys/kernel/perf_event_paranoid", "2").unwrap();
    let few = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if by_kprobes() && !has_three_numbers(&kernel_release()) {
        let output = as_ordinary_user(&["trace"], few | CapabilitySet::SYSLOG).output().unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("in tracefs, where only root may"), "{said}");
        return;
    }
    // Where BTF does not have `this_cpu_off`, /proc/kallsyms has to show an address.
    let needs_addresses = kernel_release().starts_with("5.10.");
    traces(if needs_addresses { few | CapabilitySet::SYSLOG } else { few });
    let output = as_ordinary_user(&["doctor", "--duration", "100ms"], few).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for lacking in ["CAP_SYSLOG", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"] {
        assert!(said.contains(&format!("without {lacking}: ")), "{lacking}? {said}");
    }
    assert!(!said.contains("without CAP_BPF") && !said.contains("without CAP_PERFMON"), "{said}");
    let hidden = said.contains("not visible: failed Fast Open attempts");
    assert_eq!(hidden, needs_addresses, "{said}");
    // One of the two is not enough.
    let output = as_ordinary_user(&["trace"], CapabilitySet::BPF).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("CAP_PERFMON"), "{said}");
}

/// A refused SYN is seen, with its reason.
fn traces(capabilities: CapabilitySet) {
    let server = Server::listen(Family::V4.loopback(8080), BACKLOG as i32);
    let arguments = ["trace", "--format", "json", "--event", "syn_refused", "--count", "1"];
    let mut command = as_ordinary_user(&arguments, capabilities);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    errors.read_line(&mut said).unwrap();
    assert!(said.contains(": tracing "), "{said}");
    let waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect(server.address);
    let output = child.wait_with_output().unwrap();
    refused.reset();
    reset_all(waiting);
    errors.read_to_string(&mut said).unwrap();
    said += &text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(r#""event":"syn_refused","reason":"accept_queue_full""#), "{said}");
}

/// The program as user `nobody`, with these capabilities and no more, and as much locked memory as it
/// likes, of which Linux before 5.11 makes maps.
fn as_ordinary_user(arguments: &[&str], capabilities: CapabilitySet) -> Command {
    let mut command = queue_trace();
    command.args(arguments).args(attach_arguments());
    let become_it = move || -> io::Result<()> {
        setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None })?;
        set_keep_capabilities(true)?;
        set_thread_gid(Gid::from_raw(NOBODY))?;
        set_thread_uid(Uid::from_raw(NOBODY))?;
        let (effective, permitted) = (capabilities, capabilities);
        set_capabilities(None, CapabilitySets { effective, permitted, inheritable: capabilities })?;
        for one in capabilities.iter() {
            configure_capability_in_ambient_set(one, true)?;
        }
        Ok(())
    };
    // SAFETY: the child makes nothing but system calls, and allocates nothing.
    unsafe { command.pre_exec(become_it) };
    command
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}
