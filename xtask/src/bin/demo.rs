//! The demo that `cargo xtask demo` runs, on this machine or in a guest: a server with a short accept
//! queue that does not call `accept()`, clients that pile up, and queue-trace watching both.

#[path = "demo/client.rs"]
mod client;
#[path = "demo/server.rs"]
mod server;
#[path = "demo/story.rs"]
mod story;
#[path = "demo/tracer.rs"]
mod tracer;

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use client::{Link, Visit};
use server::Server;
use tracer::Tracer;

const BACKLOG: i32 = 5;
/// One client a step; the one behind a bad link comes while there is still room.
const LINKS: [Link; 10] = {
    let mut links = [Link::Good; 10];
    links[4] = Link::LosesFirstAnswer;
    links
};
const PAUSE: Duration = Duration::from_millis(300);
/// How long the server does not accept after the last client came.
const STALL: Duration = Duration::from_millis(3000);

fn main() -> Result<()> {
    let queue_trace = std::env::args_os().nth(1).context("give the path of queue-trace")?;
    let server = Server::listen(BACKLOG)?;
    let port = server.address().port().to_string();
    let shown = Tracer::start(queue_trace.as_ref(), &port, "text")?;
    let counted = Tracer::start(queue_trace.as_ref(), &port, "json")?;

    say(&format!(
        "A server listens on {} with listen({BACKLOG}) and is busy: it does not call accept().",
        server.address()
    ));
    say(&format!(
        "{} clients come, one after the other; one of them over a bad link.",
        LINKS.len()
    ));
    let mut clients = Vec::new();
    for link in LINKS {
        clients.push(client::visit(server.address(), link));
        sleep(PAUSE);
    }
    sleep(STALL);
    say("The server wakes up and accepts.");
    let served = server.serve(LINKS.len())?;
    let visits: Vec<Visit> = clients
        .into_iter()
        .filter_map(|client| client.join().ok())
        .collect::<Result<_>>()
        .context("a client was not served")?;
    ensure!(served == LINKS.len(), "only {served} of {} clients were served", LINKS.len());

    say("Everybody is served. queue-trace sums up:");
    shown.finish()?;
    let events = counted.finish()?;
    println!();
    println!("{}", story::tell(&events, &visits, BACKLOG)?);
    Ok(())
}

/// A line of ours among those of queue-trace.
fn say(text: &str) {
    println!("\n--- {text}");
}
