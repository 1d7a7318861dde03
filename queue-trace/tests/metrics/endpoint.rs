//! The real HTTP endpoint, in this process, fed by the test.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use queue_trace::daemon::Published;
use queue_trace::daemon::http::{Listen, Server, Settings};
use tokio::sync::{oneshot, watch};

use crate::data;

/// Ends with the test.
pub(crate) struct Endpoint {
    address: SocketAddr,
    publish: watch::Sender<Arc<Published>>,
    started: Timestamp,
    step: Cell<u64>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Endpoint {
    /// Listens on a free port, with room for two of the three services.
    pub(crate) fn start() -> Self {
        let started = Timestamp::now();
        let (publish, receive) = watch::channel(Arc::new(data::published(0, started)));
        let listen = Listen::Tcp(([127, 0, 0, 1], 0).into());
        let server =
            Server::bind(Settings { listen, max_services: 2, ..Settings::default() }).unwrap();
        let address = server.address().unwrap();
        let (end, ending) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(server.run(receive, async { drop(ending.await) }))
        });
        Self { address, publish, started, step: Cell::new(0), end: Some(end), thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often each thing has happened.
    pub(crate) fn counted(&self) -> f64 {
        self.step.get() as f64
    }

    /// Publishes each step, and waits until it is shown: no snapshot is missed.
    pub(crate) fn publish_until(&self, last: u64) {
        for step in self.step.get() + 1..=last {
            self.publish.send(Arc::new(data::published(step, self.started))).unwrap();
            let shown = format!("\nqueuetrace_missed_calls_total {step}\n");
            let mut tries = 0;
            while !self.get("/metrics", "text/plain").contains(&shown) {
                tries += 1;
                assert!(tries < 1000, "step {step} is not shown");
                std::thread::sleep(Duration::from_millis(10));
            }
            self.step.set(step);
        }
    }

    /// What a path answers, without the head.
    pub(crate) fn get(&self, path: &str, accept: &str) -> String {
        get(self.address, path, &format!("Accept: {accept}\r\n")).unwrap()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It ends also when the sender is gone.
        drop(self.end.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

/// What a server answers, without the head; nothing if it is not there.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    // Version 1.0: the answer comes in one piece and ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}
