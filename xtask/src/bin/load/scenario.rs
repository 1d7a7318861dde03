//! The loads. Each says by the kernel's own counter that it did what it is called after.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketFlags, SocketType, accept_with, bind, connect, getsockname,
    listen, socket_with,
};

use crate::sample::Scenario;
use crate::{clock, packet, pause, system};

/// A batch and what it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) instructions: u64,
    pub(crate) operations: u32,
    pub(crate) reader: u64,
}

/// How many operations make a batch: enough to drown what RCU leaves over at its end.
pub(crate) const fn operations(scenario: Scenario) -> u32 {
    match scenario {
        Scenario::Connection => 2000,
        // Loopback's queue holds 1000 packets.
        Scenario::Retransmit => 500,
        Scenario::RefusedSyn | Scenario::CookieSyn | Scenario::RefusedAck => 4000,
    }
}

/// Reads how many instructions a tracer's process has used; called when a batch begins and when it ends.
pub(crate) type Reader<'a> = &'a dyn Fn() -> Result<u64>;

/// Runs a load without looking at its cost.
pub(crate) fn run(scenario: Scenario, operations: u32) -> Result<()> {
    measure(scenario, operations, &|| Ok(0)).map(drop)
}

/// Runs a load.
pub(crate) fn measure(scenario: Scenario, operations: u32, reader: Reader<'_>) -> Result<Batch> {
    match scenario {
        Scenario::Connection => connections(operations, reader),
        Scenario::RefusedSyn => refused_syns(operations, reader),
        Scenario::CookieSyn => cookie_syns(operations, reader),
        Scenario::RefusedAck => refused_acks(operations, reader),
        Scenario::Retransmit => retransmissions(operations, reader),
    }
    .with_context(|| format!("load {scenario:?}"))
}

/// The listeners that connections go to, in turn.
static LISTENERS: OnceLock<Vec<Server>> = OnceLock::new();

/// Opens them, for as long as the load lasts.
pub(crate) fn open_listeners(count: u64) -> Result<()> {
    /// Beside the listeners, and for clients.
    const OTHER_FILES: u64 = 1000;
    system::allow_files(count + OTHER_FILES)?;
    let servers = (0..count).map(|_| Server::listen(128)).collect::<Result<_>>()?;
    LISTENERS.set(servers).map_err(|_| anyhow!("there are listeners already"))
}

/// Clients that connect, are accepted and go; with RST, so that nothing lingers.
fn connections(operations: u32, reader: Reader<'_>) -> Result<Batch> {
    let servers = LISTENERS.get().context("nobody listens")?;
    timed(operations, reader, || {
        for server in servers.iter().cycle().take(operations as usize) {
            let client = server.visit()?;
            let accepted = accept_with(&server.socket, SocketFlags::CLOEXEC)?;
            set_socket_linger(&client, Some(Duration::ZERO))?;
            drop((client, accepted));
        }
        Ok(())
    })
}

fn refused_syns(operations: u32, reader: Reader<'_>) -> Result<Batch> {
    let server = Server::listen(1)?;
    let _waiting = [server.visit()?, server.visit()?];
    counted("ListenOverflows", || send_syns(&server, operations, reader))
}

fn cookie_syns(operations: u32, reader: Reader<'_>) -> Result<Batch> {
    const SETTING: &str = "net/ipv4/tcp_syncookies";
    let server = Server::listen(128)?;
    system::set(SETTING, 2)?;
    // The first cookie is also a line in the kernel's log.
    packet::Sender::new()?.send(&packet::syn(packet::client(0), server.address), server.address)?;
    let batch = counted("SyncookiesSent", || send_syns(&server, operations, reader));
    system::set(SETTING, 1)?;
    batch
}

/// The same final ACK again and again: the kernel forgets it each time.
fn refused_acks(operations: u32, reader: Reader<'_>) -> Result<Batch> {
    let server = Server::listen(3)?;
    let (sender, listener) = (packet::Sender::new()?, packet::Listener::new()?);
    let mut waiting = (0..3).map(|_| server.visit()).collect::<Result<Vec<_>>>()?;
    let client = packet::client(0);
    sender.send(&packet::syn(client, server.address), server.address)?;
    let first = listener.first_of(server.address, client)?;
    drop(listener);
    waiting.push(server.visit()?);
    let ack = packet::ack(client, server.address, first);
    counted("ListenOverflows", || {
        timed(operations, reader, || {
            (0..operations).try_for_each(|_| sender.send(&ack, server.address))
        })
    })
}

/// Requests that get no answer. Their timers expire together, a second later.
fn retransmissions(operations: u32, reader: Reader<'_>) -> Result<Batch> {
    // The wheel rounds a second up by at most 32 ms.
    const BEFORE: Duration = Duration::from_millis(985);
    const WINDOW: Duration = Duration::from_millis(95);
    let server = Server::listen(2048)?;
    let start = Instant::now();
    send_syns(&server, operations, &|| Ok(0))?;
    std::thread::sleep(BEFORE.saturating_sub(start.elapsed()));
    let batch = counted("TCPSynRetrans", || {
        let reader_before = reader()?;
        let instructions = clock::interruptions(WINDOW);
        Ok(Batch { instructions, operations, reader: reader()? - reader_before })
    });
    drop(server);
    // By then the requests' timers have found their listener closed, and trouble no later batch.
    pause(4000);
    batch
}

/// Sends SYNs of as many clients.
fn send_syns(server: &Server, operations: u32, reader: Reader<'_>) -> Result<Batch> {
    let sender = packet::Sender::new()?;
    let syns: Vec<_> =
        (0..operations).map(|n| packet::syn(packet::client(n), server.address)).collect();
    timed(operations, reader, || syns.iter().try_for_each(|syn| sender.send(syn, server.address)))
}

/// Runs it between two looks at the clock.
fn timed(operations: u32, reader: Reader<'_>, work: impl FnOnce() -> Result<()>) -> Result<Batch> {
    // Lets others finish what they have to do for the preparations.
    pause(20);
    let reader_before = reader()?;
    let start = clock::now();
    work()?;
    let instructions = clock::now() - start;
    Ok(Batch { instructions, operations, reader: reader()? - reader_before })
}

/// Makes sure that the kernel counted each operation under that name.
fn counted(name: &str, work: impl FnOnce() -> Result<Batch>) -> Result<Batch> {
    let before = system::counter(name)?;
    let batch = work()?;
    let counted = system::counter(name)? - before;
    ensure!(
        counted == u64::from(batch.operations),
        "{} operations, but {name} rose by {counted}",
        batch.operations
    );
    Ok(batch)
}

/// A listener on loopback.
#[derive(Debug)]
struct Server {
    socket: OwnedFd,
    address: SocketAddrV4,
}

impl Server {
    fn listen(backlog: i32) -> Result<Self> {
        let socket = stream()?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        listen(&socket, backlog)?;
        let address: SocketAddrAny = getsockname(&socket)?;
        Ok(Self { socket, address: address.try_into()? })
    }

    /// A client, connected.
    fn visit(&self) -> Result<OwnedFd> {
        let client = stream()?;
        connect(&client, &self.address).context("cannot connect")?;
        Ok(client)
    }
}

fn stream() -> Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}
