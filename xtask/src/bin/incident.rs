//! The incident that `cargo xtask incident` records, in a guest: a shop whose one worker stops accepting for four
//! seconds in the busiest time, and for whose backlog `somaxconn` has been too small all along. Its recording goes
//! to standard output.

#[path = "incident/clients.rs"]
mod clients;
#[path = "incident/shop.rs"]
mod shop;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Where the recording is written.
const RECORDING: &str = "/tmp/incident.qtrace";
/// What the system grants, and what the shop asks for.
const SOMAXCONN: &str = "32";
const BACKLOG: i32 = 128;
/// How long it all takes.
const LENGTH: Duration = Duration::from_secs(24);

fn main() -> Result<()> {
    let queue_trace = std::env::args_os().nth(1).context("give the path of queue-trace")?;
    // As the owner is shown.
    rustix::thread::set_name(c"shop")?;
    fs::write("/proc/sys/net/core/somaxconn", SOMAXCONN).context("cannot set somaxconn")?;
    let mut recorder = Command::new(queue_trace)
        .args(["record", "--port", "8080", "--output", RECORDING])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run queue-trace")?;
    wait_for(&mut recorder)?;
    let address = shop::open(BACKLOG, LENGTH)?;
    clients::come(address, LENGTH);
    kill_process(Pid::from_child(&recorder), Signal::INT)?;
    ensure!(recorder.wait()?.success(), "queue-trace could not record");
    let recording = fs::read(RECORDING).context("there is no recording")?;
    std::io::stdout().write_all(&recording).context("cannot hand the recording out")
}

/// Waits until everything is attached, and hands on what it says.
fn wait_for(recorder: &mut Child) -> Result<()> {
    let told = recorder.stderr.take().context("no pipe")?;
    let mut lines = BufReader::new(told).lines().map_while(Result::ok);
    let first = lines.next().context("queue-trace did not begin")?;
    eprintln!("{first}");
    std::thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
    Ok(())
}
