//! `accept()` that fails: no descriptor left in the process or in the system, nothing there, a
//! signal, an address that cannot be written. Connections stay where they are, but for the last.

use std::fs;
use std::os::unix::thread::JoinHandleExt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Tracer};
use crate::harness::wait;

use super::accept_wait::is_accepting;

const FILE_MAX: &str = "/proc/sys/fs/file-max";

pub(super) fn run(family: Family) {
    let scene = Scene::begin(Place::Outside);
    let server = Server::listen(family.loopback(8080), 5);
    let idle = Server::listen(family.loopback(8081), 5);
    let clients = server.fill(3);
    assert_eq!(without_descriptors(&server), [libc::EMFILE; 2]);
    assert_eq!(without_files(&server), libc::ENFILE);
    assert_eq!(server.depth(), 3, "nobody was lost");
    assert_eq!(interrupted(&idle), libc::EINTR);
    server.accept_all(2);
    assert_eq!(server.accept_into_nowhere(), libc::EFAULT);
    assert_eq!(server.depth(), 0);

    let trace = scene.end(&[&server, &idle]);
    let failed = trace.events.of("accept_failed");
    let told: Vec<_> = failed.map(|e| (e.reason.as_deref().unwrap(), e.errno.unwrap())).collect();
    // All three were taken from the queue, the last one for nothing.
    assert_eq!(trace.events.count("accept"), clients.len() as u64);
    if program::by_kprobes() {
        // A probe at the return would be missed by all but a few of those that wait in accept().
        assert_eq!(told, []);
        return;
    }
    assert_eq!(
        told,
        [
            ("emfile", libc::EMFILE),
            ("emfile", libc::EMFILE),
            ("enfile", libc::ENFILE),
            // As the kernel has it: `ERESTARTSYS` for a call that would begin again.
            ("eintr", told[3].1),
            ("other_error", libc::EFAULT),
        ]
    );
    assert!([libc::EINTR, 512].contains(&told[3].1), "{told:?}");
    for event in trace.events.of("accept_failed") {
        assert_eq!(event.pid, Some(std::process::id()), "{event:?}");
        assert!(event.client().is_none() && event.comm.is_some(), "{event:?}");
    }
    assert_eq!(trace.events.at_port(8081).count("accept_failed"), 1);
}

/// Nothing there and no wish to wait: shown only when asked for.
pub(super) fn asked_for() {
    let server = Server::listen(Family::V4.loopback(8080), 5);
    if program::by_kprobes() {
        let tracer = Tracer::start(Place::Inside, namespace::inode(), &["--duration", "1s"]);
        let text = tracer.finish().summary.text;
        let hidden = "not visible on this kernel: accept() that returns an error";
        assert!(text.contains(hidden), "{text}");
        return;
    }
    let arguments = ["--event", "accept_failed", "--count", "2"];
    let tracer = Tracer::start(Place::Inside, namespace::inode(), &arguments);
    assert_eq!([server.poll(), server.poll()], [libc::EAGAIN; 2]);
    let trace = tracer.finish();
    for event in &trace.events.0 {
        assert_eq!(event.reason.as_deref(), Some("eagain"), "{event:?}");
        assert_eq!(event.errno, Some(libc::EAGAIN));
    }
    assert_eq!(trace.events.count("accept_failed"), 2);
    assert_eq!(trace.summary.only(server.address).counts["accept_failed"], 2);
}

/// The errors of two calls while the process may open nothing.
fn without_descriptors(server: &Server) -> [i32; 2] {
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..usual }).unwrap();
    let errors = [server.poll(), server.poll()];
    setrlimit(Resource::Nofile, usual).unwrap();
    errors
}

/// The error of a call while the system has no file left for those without privileges.
fn without_files(server: &Server) -> i32 {
    let usual = capabilities(None).unwrap();
    let mut fewer = usual;
    fewer.effective.remove(CapabilitySet::SYS_ADMIN);
    let most = fs::read_to_string(FILE_MAX).unwrap();
    fs::write(FILE_MAX, "1").unwrap();
    set_capabilities(None, fewer).unwrap();
    let error = server.poll();
    set_capabilities(None, usual).unwrap();
    fs::write(FILE_MAX, most).unwrap();
    error
}

/// The error of a call that a signal ends.
fn interrupted(server: &Server) -> i32 {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: an action of zeros but for a handler that does nothing; the call is not begun again.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
    }
    let (tell, told) = std::sync::mpsc::channel();
    let waiter = server.waiter();
    let thread = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid()).unwrap();
        waiter.accept_error()
    });
    let number = told.recv().unwrap().as_raw_nonzero().get();
    wait::until("a thread to block in accept()", || is_accepting(number));
    // SAFETY: the thread is not joined yet.
    unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
    thread.join().unwrap()
}
