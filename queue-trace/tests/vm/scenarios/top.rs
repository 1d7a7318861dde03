//! `queue-trace top` in a terminal: a loaded listener, sorted to the top, in full, and the terminal afterwards. What it
//! says of the listener at the end it says of a recording, too.

use std::path::Path;

use rustix::process::Signal;

use super::recorded::{Folder, Recorder};
use crate::harness::client::Client;
use crate::harness::family::Family;
use crate::harness::namespace;
use crate::harness::program;
use crate::harness::server::Server;
use crate::harness::terminal::Terminal;

const BACKLOG: u32 = 5;
const REFUSED: usize = 3;
/// Of no other scenario: the view shows what they have left, too.
const PORT: u16 = 8766;

pub(super) fn run() {
    let place = Folder::make("top");
    let file = place.file("load.qtrace");
    let recorder = Recorder::start(&file);
    let mut command = program::queue_trace();
    command.args(["top", "--interval", "200ms"]).args(program::attach_arguments());
    let terminal = Terminal::run(command, |command| {
        namespace::outside(|| command.spawn().expect("cannot run queue-trace"))
    });
    terminal.wait_for("the view", |screen| screen.contains("accept queue"));
    let server = Server::listen(Family::V4.loopback(PORT), BACKLOG as i32);
    let waiting = server.fill(BACKLOG + 1);
    let refused = Client::connect_many(server.address, REFUSED);
    let name = server.address.to_string();
    let first = |screen: &str| {
        let line = screen.lines().nth(3).unwrap_or_default();
        line.contains(&name) && line.contains("█") && line.contains("6/5")
    };
    // Trouble comes first; someone is refused, so it is not only full.
    terminal.wait_for("the listener on top", first);
    terminal.press("\r");
    let client = format!("127.0.0.1:{}", refused[0].address.port());
    for (what, part) in [
        ("its refusals", "accept_queue_full  syn_refused"),
        ("who is not in yet", "not in after"),
        ("the limit", "asked 5, got 5: all of it"),
        ("the clients", &client),
        ("the graphs", "established"),
    ] {
        terminal.wait_for(what, |screen| screen.contains(part));
    }
    let accepted = server.accept_all(waiting.len() + refused.len());
    let all_in = |screen: &str| screen.matches("got in after").count() == REFUSED;
    let live = terminal.wait_for("them to get in", all_in);
    terminal.press("q");
    assert!(terminal.end().success());
    drop(accepted);

    let (status, told) = recorder.stop(Signal::INT);
    assert!(status.success(), "{told}");
    assert_eq!(story(&replayed(&file, all_in)), story(&live), "live:\n{live}");
}

/// The listener in full at the end of a recording.
fn replayed(file: &Path, all_in: impl Fn(&str) -> bool) -> String {
    let mut command = program::queue_trace();
    command.args(["top", "--input"]).arg(file);
    let terminal =
        Terminal::run(command, |command| command.spawn().expect("cannot run queue-trace"));
    terminal.wait_for("the view", |screen| screen.contains("accept queue"));
    // Faster.
    terminal.press(">>>>");
    terminal.wait_for("the end", |screen| screen.contains(" END"));
    terminal.press(&format!("/{PORT}\r"));
    terminal.wait_for("the filter", |screen| screen.contains(&format!("filter: {PORT}")));
    terminal.press("\r");
    let screen = terminal.wait_for("the listener in full", all_in);
    terminal.press("q");
    assert!(terminal.end().success());
    screen
}

/// What is said of the limit, the refusals, and the clients: without times, and so without the graph beside it.
fn story(screen: &str) -> Vec<&str> {
    let part = |line| {
        let (_, line) = str::rsplit_once(line, "││").unwrap_or(("", line));
        // The client's address stands between the time of its refusal and how it fared.
        let client = || line.split_once("got in after")?.0.split_ascii_whitespace().nth(1);
        let told = ["limit  ", "syn_refused", "clients: "].iter().any(|what| line.contains(what));
        if told { Some(line) } else { client() }
    };
    screen.lines().filter_map(part).collect()
}
