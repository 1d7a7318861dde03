//! One namespace: the storm, the calm after it, and what the kernel says then.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::plan::{Plan, STORM};
use super::world::World;
use super::{clients, outside, servers};
use crate::harness::netstat::{self, Counters};
use crate::harness::sockopt::tcp_info;
use crate::harness::{namespace, sysctl, wait};

/// What the kernel says of a namespace, and what we know ourselves.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) plan: Plan,
    pub(super) netns: u64,
    pub(super) before: Counters,
    /// When it had become quiet, and after queue-trace had ended.
    pub(super) after: Counters,
    pub(super) last: Counters,
    /// Connections that wait at each listener that is still open, by its name.
    pub(super) waiting: BTreeMap<String, Vec<u64>>,
    /// What queue-trace calls the target, and how many SYNs were sent to it.
    pub(super) target: String,
    pub(super) aimed: u64,
    pub(super) diary: String,
}

/// How the one who runs all storms talks with one of them.
#[derive(Debug)]
pub(super) struct Signals {
    /// Told when the namespace is there, and when the storm is over.
    pub(super) report: Sender<()>,
    /// Says when the storm may begin, and when queue-trace has ended.
    pub(super) go: Receiver<()>,
}

/// Runs in the namespace.
pub(super) fn run(mut plan: Plan, signals: Signals) -> Facts {
    let Signals { report, go } = signals;
    let mut dice = plan.dice.split();
    let before = Counters::read();
    for (name, values) in &plan.settings {
        sysctl::set(name, *dice.pick(values));
    }
    // Otherwise no more Fast Open after the first such connection that ends badly.
    sysctl::set("ipv4.tcp_fastopen_blackhole_timeout_sec", 0);
    // So that clients who left soon stop to send.
    sysctl::set("ipv4.tcp_orphan_retries", 1);
    report.send(()).unwrap();
    go.recv().unwrap();
    let world = World::new(&plan);
    servers::open_all(&world, &mut dice);
    thread::scope(|scope| {
        let (world, plan) = (&world, &plan);
        // Whatever fails in here, nobody may go on.
        let _end = End(world);
        let (tell, told) = channel();
        let troubles = dice.split();
        scope.spawn(move || outside::trouble(world, troubles, plan, &tell));
        // To lay the wire takes long.
        told.recv().unwrap();
        let mut people = Vec::new();
        for _ in 0..plan.clients {
            let dice = dice.split();
            people.push(scope.spawn(|| clients::visit(world, dice)));
        }
        for _ in 0..plan.acceptors {
            let dice = dice.split();
            people.push(scope.spawn(|| servers::accept(world, dice)));
        }
        let [manager, governor] = [dice.split(), dice.split()];
        let others = [
            scope.spawn(|| servers::manage(world, manager)),
            scope.spawn(|| servers::govern(world, governor, &plan.settings)),
        ];
        thread::sleep(STORM);
        world.end();
        let sockets = people.into_iter().flat_map(|person| person.join().unwrap());
        let sockets: Vec<_> = sockets.collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        // A SYN that is still under way would find its listener closed.
        told.recv().unwrap();
        report.send(()).unwrap();
        // Sometimes clients leave first, sometimes listeners close with them inside.
        if dice.once_in(2) {
            sockets.iter().for_each(servers::reset);
            drop(sockets);
            settle(world);
        } else {
            close(world);
            sockets.iter().for_each(servers::reset);
            drop(sockets);
            settle(world);
        }
    });
    let after = Counters::read();
    let mut waiting = BTreeMap::<_, Vec<_>>::new();
    for place in &world.places {
        if let Some(listener) = place.listener() {
            let depth = u64::from(tcp_info(&listener).tcpi_unacked);
            waiting.entry(place.name()).or_default().push(depth);
        }
    }
    report.send(()).unwrap();
    go.recv().unwrap();
    plan.dice = dice;
    Facts {
        netns: namespace::inode(),
        before,
        after,
        last: Counters::read(),
        waiting,
        target: world.target().name(),
        aimed: world.aimed.load(std::sync::atomic::Ordering::Relaxed),
        diary: world.diary(),
        plan,
    }
}

/// Ends everything when it is dropped.
struct End<'a>(&'a World);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.0.calm();
    }
}

/// Closes the listeners that do not stay.
fn close(world: &World) {
    for place in world.places.iter().filter(|place| !place.site.stays) {
        place.vacate();
    }
}

/// Closes what is left to be closed and waits until nobody sends any more and the last
/// half-open request has died.
fn settle(world: &World) {
    close(world);
    for retries in ["ipv4.tcp_synack_retries", "ipv4.tcp_syn_retries", "ipv4.tcp_orphan_retries"] {
        sysctl::set(retries, 1);
    }
    let open = world.places.iter().filter(|place| place.listener().is_some()).count() as u64;
    wait::until_at_rest("everybody to be quiet", || {
        BUSY.iter().all(|state| netstat::in_state(state) == 0) && netstat::in_state(LISTEN) == open
    });
    world.calm();
}

/// States as `/proc/net/tcp` writes them: SYN_SENT, SYN_RECV, FIN_WAIT1, LAST_ACK and CLOSING, in which
/// something is sent again and again.
const BUSY: [&str; 5] = ["02", "03", "04", "09", "0B"];
const LISTEN: &str = "0A";
