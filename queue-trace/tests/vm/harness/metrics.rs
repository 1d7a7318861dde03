//! What a daemon tells over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::namespace;

/// All metrics, as text.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Asks the daemon at this port, which is outside of the scenario's namespace.
    pub(crate) fn read(port: u16) -> Self {
        let answer = namespace::outside(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let request = "GET /metrics HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        Self(answer)
    }

    /// The sum of a metric at a listener of the calling thread's namespace.
    pub(crate) fn at(&self, metric: &str, listener: SocketAddr) -> u64 {
        let (netns, port) = (namespace::inode(), listener.port());
        let place = [format!("netns=\"{netns}\""), format!("port=\"{port}\"")];
        let values = self.values(metric);
        let here = values.filter(|(labels, _)| place.iter().all(|label| labels.contains(label)));
        here.map(|(_, value)| value as u64).sum()
    }

    /// Each series of a metric: its labels, and its value.
    pub(crate) fn values<'a>(&'a self, metric: &str) -> impl Iterator<Item = (&'a str, f64)> {
        let begin = format!("{metric}{{");
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(&begin)?.rsplit_once("} ")?;
            Some((labels, value.parse().unwrap()))
        })
    }

    /// The books of every namespace balance.
    pub(crate) fn assert_even(&self) {
        let books: Vec<_> = self.values("queuetrace_balance_difference").collect();
        let uneven: Vec<_> = books.iter().filter(|(_, difference)| *difference != 0.0).collect();
        assert!(!books.is_empty() && uneven.is_empty(), "{uneven:?} of {}", books.len());
    }
}
