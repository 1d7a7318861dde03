//! A scenario under way: queue-trace runs, and the books are open.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::books::{self, Books, Known};
use super::client::Client;
use super::events::Events;
use super::namespace;
use super::netstat::Counters;
use super::server::Server;
use super::stage::Role;
use super::tracer::{Place, Trace, Tracer};
use super::wait;

/// Between the beginning of a trace and its end.
#[derive(Debug)]
pub(crate) struct Scene {
    watch: Watch,
    netns: u64,
    before: Counters,
    older: Vec<(SocketAddr, Known)>,
    closings: bool,
}

/// The queue-trace of a scenario.
#[derive(Debug)]
enum Watch {
    Own(Tracer),
    Shared(Role),
}

impl Scene {
    /// Starts queue-trace and waits until it counts.
    pub(crate) fn begin(place: Place) -> Self {
        Self::begin_with(place, &[])
    }

    /// The same, with listeners that are there already.
    pub(crate) fn begin_with(place: Place, servers: &[&Server]) -> Self {
        let netns = namespace::inode();
        // A scenario that wants it elsewhere, or listeners that are older, is not to share it.
        let role = Role::take();
        assert!(role.is_none() || place == Place::Outside && servers.is_empty(), "plays alone");
        let older = servers.iter().map(|server| (server.address, Known::of(server))).collect();
        let before = Counters::read();
        let watch = match role {
            Some(role) => Watch::Shared(role),
            None => Watch::Own(Tracer::start(place, netns, &[])),
        };
        Self { watch, netns, before, older, closings: false }
    }

    /// Listeners are to close while packets come.
    pub(crate) fn with_closings(self) -> Self {
        Self { closings: true, ..self }
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Events {
        self.tracer().events_in(self.netns)
    }

    /// Waits until the events so far satisfy a condition.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Events) -> bool) {
        self.tracer().wait_in(self.netns, what, condition);
    }

    /// Waits until the events have that a client is established. That the kernel's queue has it is not enough
    /// before it is accepted: on another processor the hook may still have to read the depth.
    pub(crate) fn wait_established(&self, client: &Client) {
        self.wait_for("a connection to be established", |events| {
            events.of_client(client.address).count("established") == 1
        });
    }

    /// Does something while queue-trace stands still; its kernel side goes on.
    pub(crate) fn paused(&self, work: impl FnOnce()) {
        self.tracer().stand_still();
        work();
        self.tracer().signal(Signal::CONT);
    }

    fn tracer(&self) -> &Tracer {
        match &self.watch {
            Watch::Own(tracer) => tracer,
            Watch::Shared(role) => role.tracer(),
        }
    }

    /// How far a counter of the kernel moved.
    pub(crate) fn moved(&self, counter: &str) -> u64 {
        Counters::read().since(&self.before, counter)
    }

    /// Stops queue-trace and closes the books, with the listeners that are still open. No more traffic
    /// may be to come.
    pub(crate) fn end(self, servers: &[&Server]) -> Trace {
        self.end_with(servers, 0)
    }

    /// The same where that many SYNs were crafted.
    pub(crate) fn end_with(self, servers: &[&Server], crafted_syns: u64) -> Trace {
        let after = at_rest();
        let open = servers.iter().map(|server| (server.address, Known::of(server))).collect();
        let trace = match self.watch {
            Watch::Own(tracer) => tracer.stop(),
            Watch::Shared(role) => role.halt(self.netns),
        };
        let books = Books {
            netns: self.netns,
            trace: &trace,
            before: &self.before,
            after: &after,
            last: &Counters::read(),
            older: self.older,
            open,
            crafted_syns,
            closings: self.closings,
        };
        books.close();
        trace
    }
}

/// The counters once what is under way has come to rest: packets may still wait for a processor that
/// is busy elsewhere.
fn at_rest() -> Counters {
    const REST: Duration = Duration::from_millis(50);
    let mut counters = Counters::read();
    wait::until("traffic to come to rest", || {
        sleep(REST);
        let before = std::mem::replace(&mut counters, Counters::read());
        books::counters()
            .filter(|name| counters.has(name))
            .all(|name| counters.since(&before, name) == 0)
    });
    counters
}
