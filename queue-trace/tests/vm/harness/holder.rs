//! Processes that hold a listener and, for one reason or another, do not accept.

use std::os::fd::AsRawFd;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::processor;
use super::server::Server;

/// What such a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Accepts so many and keeps them, trying again a little later when it gets none; then it sleeps.
    Accept(usize),
    /// Sleeps for a signal.
    Pause,
    /// Waits for a descriptor that is not the listener.
    Poll,
    /// Computes.
    Compute,
    /// Waits uninterruptibly, for a child that it has lent its place (`vfork`).
    Lend,
    /// The same for a tenth of its time; then it sleeps.
    LendNowAndThen,
}

/// One of them; it ends with the scenario.
#[derive(Debug)]
pub(crate) struct Holder(Pid);

impl Holder {
    /// Forks a process that holds these listeners, and no other descriptor.
    pub(crate) fn begin(servers: &[&Server], deed: Deed) -> Self {
        let listeners: Vec<_> = servers.iter().map(|server| server.socket.as_raw_fd()).collect();
        // SAFETY: the child makes system calls only, until it is killed.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: descriptors of ours, which nobody else uses in the child.
            unsafe {
                for (place, listener) in (0..).zip(&listeners) {
                    libc::dup2(*listener, place);
                }
                libc::syscall(libc::SYS_close_range, listeners.len(), u32::MAX, 0);
            }
            act(deed);
        }
        Self(Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 0).expect("cannot fork"))
    }

    /// Its id.
    pub(crate) fn id(&self) -> Pid {
        self.0
    }

    /// The same as a number.
    pub(crate) fn pid(&self) -> u32 {
        self.0.as_raw_nonzero().get().cast_unsigned()
    }

    /// From now on it runs on the first processor only.
    pub(crate) fn on_first_processor(&self) {
        processor::keep_on(0, Some(self.0));
    }

    /// The same, and it gets what all others leave of it.
    pub(crate) fn on_what_is_left(&self) {
        self.on_first_processor();
        let parameters = libc::sched_param { sched_priority: 0 };
        let pid = self.0.as_raw_nonzero().get();
        // SAFETY: the parameters live as long as the call.
        let set = unsafe { libc::sched_setscheduler(pid, libc::SCHED_IDLE, &raw const parameters) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    /// From now on it gets six times what another gets of a processor that they share.
    pub(crate) fn favour(&self) {
        rustix::process::setpriority_process(Some(self.0), -8).unwrap();
    }

    /// Its state, as `/proc/PID/stat` has it.
    pub(crate) fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

/// Does that for ever.
fn act(deed: Deed) -> ! {
    let mut accepted = 0;
    loop {
        // SAFETY: system calls, with what lives as long as they.
        unsafe {
            match deed {
                Deed::Accept(count) if accepted < count => {
                    if libc::accept(0, std::ptr::null_mut(), std::ptr::null_mut()) < 0 {
                        libc::usleep(50_000);
                    } else {
                        accepted += 1;
                    }
                }
                Deed::Accept(_) | Deed::Pause => {
                    libc::pause();
                }
                Deed::Poll => {
                    let mut other =
                        libc::pollfd { fd: libc::eventfd(0, 0), events: libc::POLLIN, revents: 0 };
                    libc::poll(&raw mut other, 1, -1);
                }
                Deed::Compute => std::hint::spin_loop(),
                Deed::Lend => lend(None),
                Deed::LendNowAndThen => {
                    lend(Some(10_000));
                    libc::waitpid(-1, std::ptr::null_mut(), 0);
                    libc::usleep(90_000);
                }
            }
        }
    }
}

/// Waits for a child that ends after so long, or never: it has nothing of its parent's but the time, and dies with it.
fn lend(microseconds: Option<libc::c_uint>) {
    // SAFETY: as in fork(), both go on with memory of their own.
    unsafe {
        let flags = libc::CLONE_VFORK | libc::SIGCHLD;
        if libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::close(0);
            match microseconds {
                Some(microseconds) => libc::usleep(microseconds),
                None => libc::pause(),
            };
            libc::_exit(0);
        }
    }
}
