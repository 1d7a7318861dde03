//! What is shown.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use super::pane::Pane;

/// The program.
pub(crate) const TOP: &str = concat!(env!("CARGO_BIN_EXE_queue-trace"), " top");

/// A listener whose accept queue holds six, with six connections that nobody accepts; and its port.
pub(crate) fn loaded() -> (impl Drop, u16) {
    struct Loaded(#[expect(dead_code, reason = "held open")] Vec<Socket>);
    impl Drop for Loaded {
        fn drop(&mut self) {}
    }
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(5).unwrap();
    let address = listener.local_addr().unwrap();
    let clients = (0..6).map(|_| {
        let client = socket();
        client.connect(&address).unwrap();
        client
    });
    let all = clients.chain([listener.try_clone().unwrap()]).collect();
    let port = TcpListener::from(listener).local_addr().unwrap().port();
    (Loaded(all), port)
}

/// Whether the screen shows all of these. What is looked at may be half drawn: all that is wanted is waited for.
fn all(screen: &str, texts: &[&str]) -> bool {
    texts.iter().all(|text| screen.contains(text))
}

pub(crate) fn a_loaded_listener_by_polling() {
    let (_listener, port) = loaded();
    let name = format!("127.0.0.1:{port}");
    let pane = Pane::running(&format!("{TOP} --attach poll --interval 200ms"));
    pane.wait_for("the listener, with trouble and therefore first", |screen| {
        let first = screen.lines().nth(3).unwrap_or_default();
        all(first, &[&name, "█", "6/5", "full"]) && all(screen, &["poll", "ListenOverflows"])
    });
    pane.press(&["/", &port.to_string(), "Enter"]);
    pane.wait_for("the filter", |screen| all(screen, &[&format!("filter: {port}"), &name]));
    pane.press(&["Enter"]);
    pane.wait_for("the listener in full", |screen| {
        all(screen, &["owner", "limit", "depth", "not counted in the poll tier"])
    });
    pane.press(&["?"]);
    pane.wait_for("the help", |screen| screen.contains("any key closes it"));
    pane.press(&["x", "Space"]);
    pane.wait_for("that it holds", |screen| screen.contains(" AGO"));
    pane.press(&["Escape", "q"]);
    pane.check_restored(0);
}

pub(crate) fn a_recording() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recording/version1.qtrace");
    let pane = Pane::running(&format!("{TOP} --input {file}"));
    pane.wait_for("the view", |screen| screen.contains("accept queue"));
    pane.press(&["."]);
    pane.wait_for("that it holds", |screen| screen.contains("PAUSED"));
    pane.press(&[".", ">", ">", ">", ">", "Space"]);
    pane.wait_for("the end", |screen| all(screen, &[" END", "127.0.0.1:8080"]));
    pane.press(&["q"]);
    pane.check_restored(0);
}
