//! Final ACKs that a full accept queue refuses although their SYNs were let in.
//!
//! `TCP_DEFER_ACCEPT` holds connections back as half-open requests until their first data comes.
//! Meanwhile others, who do send data, fill the accept queue.

use super::client::Client;
use super::family::Family;
use super::scene::Scene;
use super::server::Server;
use super::wait;

/// The backlog, with which one connection more than this fits.
pub(crate) const BACKLOG: u32 = 5;
/// Connections that are held back. With one more on its way the SYN queue is not full.
pub(crate) const HELD: usize = 4;
/// What clients send.
pub(crate) const DATA: &[u8] = b"hello";

/// A full accept queue, and connections held back before it.
#[derive(Debug)]
pub(crate) struct HeldBack {
    pub(crate) server: Server,
    pub(crate) held: Vec<Client>,
    pub(crate) waiting: Vec<Client>,
}

impl HeldBack {
    /// Sets it up on a new listener.
    pub(crate) fn prepare(scene: &Scene, family: Family) -> Self {
        let server = Server::listen_deferring(family.loopback(8080), BACKLOG as i32);
        let held = Client::connect_many(server.address, HELD);
        held.iter().for_each(Client::wait_connected);
        scene.wait_for("deferred ACKs", |events| events.count("ack_deferred") == HELD as u64);
        let fill = |depth| {
            let client = Client::connect(server.address);
            client.wait_connected();
            client.send(DATA);
            wait::until("a connection to be queued", || server.depth() == depth);
            client
        };
        let waiting = (1..=BACKLOG + 1).map(fill).collect();
        assert_eq!(server.accept_queue(), (BACKLOG + 1, BACKLOG));
        assert_eq!(server.half_open(), HELD as u64);
        Self { server, held, waiting }
    }
}
