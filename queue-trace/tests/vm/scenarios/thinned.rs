//! A flood of SYNs that are refused, while nobody reads what queue-trace writes: the frequent kind is thinned,
//! to the record; of the rare ones nothing is missing, as long as there is room.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;

use crate::harness::client::Client;
use crate::harness::events::LeftOut;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::netstat::Counters;
use crate::harness::packets;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::tracer::{Place, Trace, Tracer};
use crate::harness::wait;
use crate::harness::wire::Wire;

/// SYNs of a wave. Two fill half of a CPU's ring, from where on records are thinned.
const WAVE: u16 = 10_000;
const WAVES: u16 = 6;
const FREQUENT: (&str, &str) = ("syn_refused", "accept_queue_full");

pub(super) fn run(family: Family) {
    let Flood { trace, busy, quiet } = Flood::unread(family, &[]);
    // Of all kinds but one there is every record.
    let [left_out] = &trace.left_out[..] else { panic!("{:?}", trace.left_out) };
    assert_eq!((&*left_out.of, left_out.reason.as_deref()), (FREQUENT.0, Some(FREQUENT.1)));
    assert!(left_out.thinned > 0, "{left_out:?}");
    assert_rare(&trace, &quiet);
    let unseen = trace.summary.only(busy.address).tally("refusals were left out of the events");
    assert_eq!(unseen, left_out.thinned + left_out.shed);
}

/// With rings that are full at once nearly all of it finds no room; that is counted, too.
pub(super) fn shed(family: Family) {
    let Flood { trace, .. } = Flood::unread(family, &["--ring-records", "64"]);
    let frequent = trace.left_out.iter().find(|left_out| left_out.of == FREQUENT.0).unwrap();
    assert!(frequent.thinned > 0 && frequent.shed > 0, "{frequent:?}");
}

/// What came of a flood of which nobody read anything until it was over.
struct Flood {
    trace: Trace,
    /// Where the frequent kind happened.
    busy: Server,
    /// Where the rare ones did.
    quiet: Server,
}

impl Flood {
    /// Floods a listener, and sees that each kind is accounted for.
    fn unread(family: Family, arguments: &[&str]) -> Self {
        let (reads, read) = channel();
        let before = Counters::read();
        let tracer = Tracer::start_unread(Place::Outside, read, arguments);
        let wire = Wire::lay(family);
        let busy = Server::listen(wire.server(8001), 1);
        let mut clients = busy.fill(2);
        let quiet = Server::listen(wire.server(8002), 1);
        for wave in 0..WAVES {
            wire.flood(0..WAVE, busy.address);
            clients.extend(rare(&wire, &quiet, wave));
        }
        let refused = Counters::read().since(&before, "ListenOverflows");
        drop(reads);
        let trace = tracer.stop();

        let counted = trace.summary.only(busy.address).outcomes();
        assert_eq!(counted[&key(FREQUENT)], u64::from(WAVE) * u64::from(WAVES));
        assert_eq!(refused, counted[&key(FREQUENT)] + u64::from(WAVES));
        let balanced = format!("namespace {}: the books balance", namespace::inode());
        assert!(trace.summary.text.contains(&balanced), "{}", trace.summary.text);
        assert_identity(&trace);
        Self { trace, busy, quiet }
    }
}

/// What happens once at a listener between two waves: a final ACK is refused, and gets in when it comes again;
/// connections are accepted, one for nothing; and a listener closes with a connection waiting.
fn rare(wire: &Wire, quiet: &Server, wave: u16) -> Vec<Client> {
    let client = wire.client(WAVE + wave);
    let synack = wire.half_open(client, quiet.address);
    let clients = quiet.fill(2);
    let ack = packets::ack(client, quiet.address, synack.sequence.wrapping_add(1));
    let refused = Counters::read();
    wire.send(&ack);
    wait::until("the ACK to be refused", || {
        Counters::read().since(&refused, "ListenOverflows") == 1
    });
    quiet.accept();
    wire.send(&ack);
    wait::until("the ACK to get in", || quiet.depth() == 2);
    quiet.accept();
    assert_eq!(quiet.accept_into_nowhere(), libc::EFAULT);
    let closing = Server::listen(wire.server(9000 + wave), 1);
    closing.fill(1);
    clients
}

/// Of each kind, everywhere: what was counted is what was written, thinned and shed.
fn assert_identity(trace: &Trace) {
    let mut kinds = BTreeMap::<(String, String), (u64, u64)>::new();
    for section in &trace.summary.listeners {
        for (kind, count) in section.outcomes() {
            kinds.entry(kind).or_default().0 += count;
        }
    }
    for event in &trace.events.0 {
        let kind = (event.event.clone(), event.reason.clone().unwrap_or_default());
        kinds.entry(kind).or_default().1 += 1;
    }
    for LeftOut { of, reason, thinned, shed } in &trace.left_out {
        let reason = reason.clone().unwrap_or_default();
        assert_eq!(trace.summary.left_out(of, &reason), [*thinned, *shed], "{of} {reason}");
        kinds.entry((of.clone(), reason)).or_default().1 += thinned + shed;
    }
    for (kind, (counted, accounted)) in kinds {
        assert_eq!(counted, accounted, "{kind:?}\n{}", trace.summary.text);
    }
}

/// Each of the rare events is there.
fn assert_rare(trace: &Trace, quiet: &Server) {
    let waves = u64::from(WAVES);
    let events = trace.events.at_port(quiet.address.port());
    assert_eq!(events.count_because("ack_refused", "accept_queue_full"), waves, "{events}");
    assert_eq!((events.count("established"), events.count("accept")), (3 * waves, 3 * waves));
    let failed = if program::by_kprobes() { 0 } else { waves };
    assert_eq!(events.count_because("accept_failed", "other_error"), failed, "{events}");
    assert_eq!(trace.events.count("abandoned"), waves);
    assert_eq!(trace.events.count("close"), waves);
}

fn key((kind, reason): (&str, &str)) -> (String, String) {
    (kind.to_owned(), reason.to_owned())
}
