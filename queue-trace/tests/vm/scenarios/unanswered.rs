//! SYNs that are queued and never answered: the client of a listener that uses TCP-AO wants to be answered with a key that
//! the listener does not have.

use crate::harness::authentication;
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::program;
use crate::harness::scene::Scene;
use crate::harness::server::Server;
use crate::harness::tracer::Place;

pub(super) fn run(family: Family) {
    let address = family.loopback(8080);
    // Which kernels of the matrix have it: Debian has switched it on.
    assert_eq!(authentication::is_there(address), program::is_from(7, 0));
    if !program::is_from(7, 0) {
        return;
    }
    let scene = Scene::begin(Place::Outside);
    let listening = Server::bound(address);
    authentication::add_key(&listening, address, 1, 1).unwrap();
    let server = Server::start(listening, 5);
    let begin = |receives| {
        let socket = Client::socket(address);
        authentication::add_key(&socket, address, 1, receives).unwrap();
        Client::begin(socket, address)
    };
    let answered = begin(1);
    scene.wait_established(&answered);
    let accepted = server.accept();
    let unanswered = begin(5);
    scene.wait_for("a SYN to be queued", |events| {
        events.of_client(unanswered.address).count("syn_queued") == 1
    });
    assert_eq!(server.half_open(), 1);
    // Before it tries again.
    unanswered.reset();

    let trace = scene.end(&[&server]);
    assert_eq!(trace.events.count("syn_queued"), 2);
    assert_eq!(trace.events.count("syn_duplicate"), 0);
    answered.reset();
    drop(accepted);
}
