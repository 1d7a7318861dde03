//! `queue-trace report`, live: what happened is in the page, and the books balance.

use crate::harness::client::{Client, reset_all};
use crate::harness::family::Family;
use crate::harness::netstat::Counters;
use crate::harness::server::Server;
use crate::harness::wait;
use crate::harness::watching::Watching;

const BACKLOG: u32 = 3;
/// No more than fit into the queue at once: they come again together.
const REFUSED: u32 = 3;

pub(super) fn run() {
    let report = Watching::start(&["report", "--port", "8080", "--output", "-"]);
    let overflows = || Counters::read().get("ListenOverflows");
    let before = overflows();
    let server = Server::listen(Family::V4.loopback(8080), BACKLOG as i32);
    let inside = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, REFUSED as usize);
    wait::until("all to have come", || overflows() >= before + u64::from(REFUSED));
    // They come again after a second and get in.
    server.accept_all((BACKLOG + 1 + REFUSED) as usize);
    reset_all(inside);
    reset_all(refused);
    let (status, page) = report.end();
    assert!(status.success(), "{page}");
    let clients = BACKLOG + 1 + REFUSED;
    for told in [
        "<h2>127.0.0.1:8080</h2>".to_owned(),
        format!("reached {} with a limit of {BACKLOG}", BACKLOG + 1),
        format!("accepted: {clients} connections"),
        format!("{REFUSED} clients got in late"),
        "From the records, none of which is missing".to_owned(),
        ": the books balance".to_owned(),
    ] {
        assert!(page.contains(&told), "{told}: {page}");
    }
}
